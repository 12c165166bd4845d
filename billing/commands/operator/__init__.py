"""Commands on operators of the console."""
