"""The line: claim what is due for the free slots, run it, decide, settle."""
