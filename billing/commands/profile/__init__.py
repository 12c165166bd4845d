"""Profiles: the paying customers."""
