"""Runs of reconciliation: begun or taken up, moved on, ended."""
