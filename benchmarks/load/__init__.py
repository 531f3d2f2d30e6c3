"""`python -m benchmarks.load`: the built webhook and the stack on this machine under sustained deliveries."""
