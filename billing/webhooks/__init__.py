"""Doors for providers: store a delivery, answer 2xx, and only then nudge a worker."""
