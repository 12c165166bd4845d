"""The nudge: task names, the table of ticks, and messages sent only after commit, which carry ids alone."""
