"""Provider events: stored once, claimed, closed."""
