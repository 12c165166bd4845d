"""Acceptances of what an audit found: accepted, and revoked."""
