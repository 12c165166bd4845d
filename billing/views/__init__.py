"""Doors for people's browsers: the customer's page, and the operators' console."""
