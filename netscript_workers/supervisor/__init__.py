"""Starts the parts of a daemon in order, listens to signals, and stops the parts in reverse."""
