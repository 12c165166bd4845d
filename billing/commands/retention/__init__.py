"""Retention: what is old enough is blanked or deleted, oldest first, a batch at a time."""
