"""Subscriptions: begin, renew, cancel."""
