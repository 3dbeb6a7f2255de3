"""What is known of each CNI, read from the folder `clusters/`: recipes and reviewed differences."""
