"""Invoices: planned by pure computation, issued in one bulk write that takes its numbers last."""
