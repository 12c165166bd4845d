"""Benches: each seeds what it needs, measures the real thing beside a floor taken in the same run, and prints a table."""
