"""What the functions cost, measured beside other receivers; `make bench` runs it, nothing of it is deployed."""
