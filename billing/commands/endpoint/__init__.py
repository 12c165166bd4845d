"""Endpoints: where the host application hears of domain events."""
