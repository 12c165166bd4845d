"""Movements of the provider's balance: kept as listed, then booked as fees and exchange."""
