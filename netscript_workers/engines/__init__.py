"""The queues: each engine is a folder that implements the same ports."""
