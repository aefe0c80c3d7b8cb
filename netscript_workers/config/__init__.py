"""Settings: where they come from, who won, and everything that is wrong with them."""
