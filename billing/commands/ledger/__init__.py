"""The ledger: balanced entries, written with the fact they book."""
