"""Payments: open an attempt, mark it sent, record what came of it."""
