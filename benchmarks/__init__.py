"""What the functions cost, beside other receivers; `make bench` measures, and nothing of it is deployed."""
