"""Answers of the HTTP API, kept for repeats."""
