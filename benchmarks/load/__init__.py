"""`make load`: the built webhook function, and the stack on this machine, under sustained deliveries."""
