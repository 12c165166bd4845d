"""Differences between our rows and the provider's: noted once, each with a work item, resolved with their cause."""
