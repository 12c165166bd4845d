"""Tables' common ground: metadata, column types, sessions, bulk writes, migrations. Knows of no noun."""
