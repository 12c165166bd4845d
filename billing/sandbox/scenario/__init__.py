"""The scenario player: a YAML file that says what happens when, read here and played with the real flows."""
