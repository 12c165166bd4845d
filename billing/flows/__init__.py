"""Stories, one a file: the only place that opens a transaction or calls a provider."""
