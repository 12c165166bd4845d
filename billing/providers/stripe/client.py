"""Builds the SDK's client: one key, one pinned API version, explicit time-outs, and no retry of its own."""

from __future__ import annotations

import logging

import stripe

from billing.providers.stripe.transport import BoundedClient

API_VERSION = "2026-10-28.endive"
"""The version that the pinned SDK was generated for. A new one is a change that we make, never one that happens."""


def build_client(
    *,
    api_key: str,
    connect_s: float,
    read_s: float,
    base_address: str | None = None,
    http_client: stripe.HTTPClient | None = None,
) -> stripe.StripeClient:
    """A client that sends each request once. `connect_s` and `read_s` are seconds.

    `base_address` points it at a stand-in. `http_client` replaces the network altogether (a stand-in mounted in
    process); it must raise `stripe.APIConnectionError` with the `requests` error as its cause, as ours does, so that
    "never connected" can be told from "no answer".

    Switches the SDK's telemetry off and its logger to warnings for the whole process: its debug lines hold bodies.
    """
    stripe.enable_telemetry = False
    stripe.log = None
    logging.getLogger("stripe").setLevel(logging.WARNING)
    return stripe.StripeClient(
        api_key,
        stripe_version=API_VERSION,
        base_addresses=None if base_address is None else {"api": base_address.rstrip("/")},
        max_network_retries=0,
        http_client=http_client or BoundedClient(connect_s=connect_s, read_s=read_s),
    )
