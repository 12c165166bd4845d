"""Revenue: deferred when a line is invoiced, recognised day by day, and taken back before it is or after."""
