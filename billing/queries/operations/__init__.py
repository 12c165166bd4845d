"""What operators look at: lists by key, newest first, and one thing with its whole story. Nothing sealed is opened."""
