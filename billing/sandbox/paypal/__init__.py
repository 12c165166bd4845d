"""The PayPal stand-in: PayPal's wire protocol on loopback, with its own books, so that it can bear witness.

Store, clock, faults, deliveries, witness and server are those of the Stripe stand-in; its books keep the same nouns
(an order is an intent, a capture a charge), and only what goes over the wire is PayPal's.
"""
