"""Registers: what authorities publish or answer. Each a port of ours, and its adapter over one road to the outside."""
