"""Exchange rates: read from their source now and then, kept as published."""
