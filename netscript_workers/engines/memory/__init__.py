"""The queue without a store, for tests: the same promises, kept in this process's memory."""

from netscript_workers.engines.memory.engine import MemoryEngine

__all__ = ["MemoryEngine"]
