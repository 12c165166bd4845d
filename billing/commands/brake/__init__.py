"""Brakes: charging and issuing are stopped, and started again."""
