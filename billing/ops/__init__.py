"""Doors for operators: each command translates, makes one call, answers, and ends with a status that says how it is."""
