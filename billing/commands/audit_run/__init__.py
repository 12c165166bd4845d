"""Audit runs: kept, sealed, and turned into work."""
