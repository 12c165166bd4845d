"""Rates: read from their source, with no transaction open, so that documents in other currencies can say their tax."""

from __future__ import annotations

import structlog

from billing.commands.exchange_rate.keep import claim_reading, keep_rates
from billing.flows.parts import Parts
from billing.kernel.errors import Unavailable

_log = structlog.get_logger(__name__)

EVERY_S = 3600.0
"""They come out once a working day, at about 16:00 in Frankfurt."""
AGAIN_S = 300.0
"""Until the next try where the source is away, and the lease of one."""


def read_rates(parts: Parts) -> int:
    """Read and keep what was published. Returns how many rates were read; 0 where it is not the time."""
    if parts.rates is None:
        return 0
    source = parts.rates.source
    with parts.begin() as session:
        history = claim_reading(session, source=source, lease_s=AGAIN_S)
    if history is None:
        return 0
    try:
        rates = parts.rates.read(history=history)
    except Unavailable as away:
        _log.warning("rates_not_read", source=source, error=str(away))
        return 0
    with parts.begin() as session:
        keep_rates(session, rates, source=source, pause_s=EVERY_S)
    return len(rates)
