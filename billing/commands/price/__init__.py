"""Prices: what it costs, once and for all."""
