"""Tax rates: the named percents of a seller."""
