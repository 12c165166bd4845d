"""Domain events: what the host application is told, as rows of the outbox in the transaction of the fact."""
