"""Start, capture, kill and reap: the one place that makes processes."""
