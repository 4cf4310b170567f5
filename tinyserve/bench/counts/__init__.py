"""Instructions, cycles and memory: what an inference takes, and where."""
