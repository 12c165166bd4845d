"""Acts: one verb a file. A command takes a session and business `now`, never commits, never calls out."""
