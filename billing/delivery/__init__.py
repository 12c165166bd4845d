"""Delivery: what is posted to the host application's endpoints, how it is signed, and where it may go."""
