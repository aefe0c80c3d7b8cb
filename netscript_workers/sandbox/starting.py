"""What is imported where programs are started: how they are confined (see domain/command.py)."""

from netscript_workers.sandbox.ahead import make_ahead
from netscript_workers.sandbox.enter import apply, prepare

__all__ = ["apply", "make_ahead", "prepare"]
