"""Logs and what else shows a running daemon from outside."""
