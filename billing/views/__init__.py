"""Doors for people's browsers: the customer's page."""
