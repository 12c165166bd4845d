"""The demo: a company's months of billing on real parts, with faults and an accident, and a proof at the end."""
