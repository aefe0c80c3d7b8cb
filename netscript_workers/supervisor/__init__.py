"""Ordered start, reverse stop, signals and restarts."""
