"""The trade of refusing: one file a noun, its input types beside the check that reports all faults at once. Pure."""
