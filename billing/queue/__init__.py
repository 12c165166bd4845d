"""The nudge: task names, the table of ticks, and messages sent only after commit. A message carries ids and nothing else."""
