"""`/console`: where operators see how billing stands, and mend it."""
