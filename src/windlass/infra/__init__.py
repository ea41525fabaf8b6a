"""What touches the outside: files, networks, clocks and, later, brokers and databases."""
