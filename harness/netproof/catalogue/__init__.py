"""What is tested: scenarios, their topologies and expected tables, read from YAML."""
