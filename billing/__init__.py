"""A billing engine: the database is the truth, the queue is a nudge, the provider is asked exactly once."""
