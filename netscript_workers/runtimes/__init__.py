"""How programs of each kind are started: pure functions from a task and a run to a command."""
