"""Benches: each seeds what it needs and measures the real thing beside a floor taken in the same run."""
