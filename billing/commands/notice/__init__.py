"""Notices: what customers are told, written with the fact, and what became of each mail."""
