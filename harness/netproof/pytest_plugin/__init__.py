"""The guest in pytest: options, scenarios as items, xdist's scheduler."""
