"""The Stripe stand-in: Stripe's wire protocol on loopback, with its own books, so that it can bear witness.

`app.create_app` builds the WSGI application over a store, `server.serving` runs it over HTTP; `standin.stand_in_over`
and `mounted.ask` do without both. It imports nothing of ours but `billing.kernel`, keeps no global state, and never
talks to Stripe.
"""

from __future__ import annotations

from billing.sandbox.stripe.faults import NoAnswer, StandInDisconnected, StandInTimeout
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.store import Store

__all__ = ["NoAnswer", "StandIn", "StandInDisconnected", "StandInTimeout", "Store"]
