"""Payouts: the money that the provider holds for us, on its way to the bank."""
