"""Claim, run, decide, settle: the line that every execution walks."""
