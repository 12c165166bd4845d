"""Structured invoices: which documents the law wants so, and what became of each."""
