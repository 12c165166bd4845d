"""The Stripe stand-in: Stripe's wire protocol on loopback, with its own books, so that it can bear witness.

`create_app` builds the WSGI application over a store; `serving` runs it over HTTP. It imports nothing of ours but
`billing.kernel`, keeps no global state, and never talks to Stripe.
"""

from __future__ import annotations

from billing.sandbox.stripe.app import create_app, stand_in_of
from billing.sandbox.stripe.faults import NoAnswer, StandInDisconnected, StandInTimeout
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.store import Store

__all__ = ["NoAnswer", "StandIn", "StandInDisconnected", "StandInTimeout", "Store", "create_app", "stand_in_of"]
