"""Dispute: what a bank takes back, and what is made of a loss."""
