"""Deliveries of domain events to endpoints: made, taken, recorded, replayed, forgotten."""
