"""Credit: what customers have in store."""
