"""Slices: committed portions of due work, claimed by lease and token."""
