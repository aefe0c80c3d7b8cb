"""The verbs of the domain as small Protocols. What stands behind them is known to `wiring` alone."""
