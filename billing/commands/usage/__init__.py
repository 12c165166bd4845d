"""Usage records."""
