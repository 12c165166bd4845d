"""Series of document numbers."""
