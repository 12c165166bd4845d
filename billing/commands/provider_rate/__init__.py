"""Provider rates: permits taken from the shared bucket, and what calls told of the line."""
