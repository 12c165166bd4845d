"""Sellers: the legal entities that issue documents."""
