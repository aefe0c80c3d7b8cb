"""Run background work: handlers written once, run in one slot or in many isolated ones."""
