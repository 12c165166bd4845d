"""Reads: set-wise, no query per row. Nothing here writes."""
