"""What is imported where programs are started: how they are confined (see domain/command.py)."""

from netscript_workers.sandbox.enter import apply, prepare
from netscript_workers.sandbox.making import Maker

__all__ = ["Maker", "apply", "prepare"]
