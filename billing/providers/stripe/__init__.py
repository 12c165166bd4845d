"""Stripe behind the port. Nothing of the SDK, its types or its exceptions, is seen outside this folder."""
