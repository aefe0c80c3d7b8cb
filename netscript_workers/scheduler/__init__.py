"""Enqueues what has a schedule, each tick once, however many schedulers there are."""
