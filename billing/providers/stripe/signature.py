"""Verifies Stripe's webhook signature over the raw bytes, in wall time, with several secrets.

Our own, because the SDK takes one secret, lets stamps from the future pass, and decodes the body before it checks.
Scheme: `Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>…]`, HMAC-SHA256 of `<t>.<body>` under the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Any

from billing.kernel.errors import Fault, Refused
from billing.providers.events import EventFacts
from billing.providers.reading import Unreadable, inner, optional, text
from billing.providers.stripe.facts import moment

TOLERANCE_S = 300
MAX_SIGNATURES = 16
"""Stripe signs once per live secret of the endpoint; a longer header is an attack on our time."""

_FAILED = "payment_intent.payment_failed"
_MAX_HEADER = 4096
_STAMP = re.compile(r"[0-9]{1,12}")
_HEX = re.compile(r"[0-9a-f]{64}")


def verify_event(*, raw: bytes, signature: str, secrets: list[str], wall_now: datetime) -> EventFacts:
    """Verify a delivery and reduce it to facts. `wall_now` is aware wall time.

    Raises `Refused`: `no_secret` (none configured: nothing can be verified), `bad_signature`, `stale_signature` (a
    stamp more than `TOLERANCE_S` old or ahead), `bad_event` (signed, yet not an event we can read).
    """
    if not any(secret.strip() for secret in secrets):
        raise _refused("secrets", "no_secret", "configure the endpoint's signing secret")
    stamp, offered = _parse(signature)
    index = _matching_secret(b"%d.%b" % (stamp, raw), offered, secrets)
    if index is None:
        raise _refused("signature", "bad_signature", "send it from Stripe, with this endpoint's secret")
    if abs(wall_now.timestamp() - stamp) > TOLERANCE_S:
        raise _refused("signature", "stale_signature", "check this machine's clock; Stripe will sign anew and retry")
    try:
        return event_facts(json.loads(raw.decode("utf-8")), secret_index=index)
    except (ValueError, RecursionError):
        raise _refused("body", "bad_event", "subscribe this endpoint to snapshot events only") from None


def _parse(header: str) -> tuple[int, list[str]]:
    pairs = [part.strip().partition("=") for part in header[: _MAX_HEADER + 1].split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    offered = [value for name, _, value in pairs if name == "v1"]
    well_formed = (
        len(header) <= _MAX_HEADER
        and len(stamps) == 1
        and _STAMP.fullmatch(stamps[0]) is not None
        and 1 <= len(offered) <= MAX_SIGNATURES
    )
    if not well_formed:
        raise _refused("signature", "bad_signature", "send Stripe's own Stripe-Signature header")
    return int(stamps[0]), [value for value in offered if _HEX.fullmatch(value)]


def _matching_secret(signed: bytes, offered: list[str], secrets: list[str]) -> int | None:
    """The first secret that any signature matches. Compares all, so that time tells nothing."""
    found = None
    for index, secret in enumerate(secrets):
        if not secret.strip():
            continue
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        matches = [hmac.compare_digest(expected, value) for value in offered]
        if any(matches) and found is None:
            found = index
    return found


def event_facts(event: Any, *, secret_index: int | None = None) -> EventFacts:
    """What we act on of an event. Raises `Unreadable`."""
    if not isinstance(event, dict) or event.get("object") != "event":
        raise Unreadable("object")
    livemode = event.get("livemode")
    subject = inner(inner(event, "data"), "object")
    if not isinstance(livemode, bool) or not subject:
        raise Unreadable("data")
    type_ = text(event, "type")
    failed = inner(subject, "last_payment_error") if type_ == _FAILED else {}
    return EventFacts(
        event_ref=text(event, "id"),
        type=type_,
        object_ref=optional(subject, "id") or "",
        object_type=text(subject, "object"),
        created=moment(event),
        livemode=livemode,
        secret_index=secret_index,
        charge_ref=optional(failed, "charge"),
    )


def _refused(field: str, code: str, mend: str) -> Refused:
    return Refused(Fault(field, code, mend))
