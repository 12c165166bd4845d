"""A provider's receiver: raw bytes and signature go to the inbox; its commit is what a 2xx means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.flows.parts import Parts
from billing.flows.receiving import Delivery, receive_all
from billing.kernel.errors import Fault, MasterKeyMissing, Refused
from billing.webhooks.answer import Answer, Receiver, refusal
from billing.webhooks.gathering import Gathering

_log = structlog.get_logger(__name__)

_CLOSED = {"no_secret", "unknown_account", "provider_not_configured", "certificate_unavailable"}
"""Refusals that are ours to mend: the provider keeps its delivery and tries again."""


def receiver(parts: Parts, *, provider: str, signature_of: Callable[[Mapping[str, Any]], str]) -> Receiver:
    """Takes deliveries by the request. Answers 200 (stored now or before), 400, 413, or 503 where it can't store.

    `signature_of` reads what signs a delivery from the request's environment, as the provider's adapter wants it.
    """
    together = Gathering(partial(_take_all, parts, provider))

    def deliver(code: str, raw: bytes, environ: Mapping[str, Any]) -> Answer:
        return together.give((code, Delivery(raw, signature_of(environ))))

    return deliver


def _take_all(parts: Parts, provider: str, given: Sequence[tuple[str, Delivery]]) -> list[Answer]:
    """The same of deliveries to several accounts, a transaction each."""
    answers: dict[int, Answer] = {}
    for code in {code for code, _ in given}:
        places = [place for place, each in enumerate(given) if each[0] == code]
        answers |= zip(places, take(parts, provider, code, [given[place][1] for place in places]), strict=True)
    return [answers[place] for place in range(len(given))]


def take(parts: Parts, provider: str, code: str, deliveries: Sequence[Delivery]) -> list[Answer]:
    """What the door answers to each of some deliveries of JSON that came together, stored in one transaction."""
    limit = parts.settings.billing_webhook_body_limit
    fitting = [each for each in deliveries if len(each.raw) <= limit]
    try:
        received = iter(receive_all(parts, provider=provider, code=code, deliveries=fitting))
        return [
            _answer(next(received), code)
            if len(each.raw) <= limit
            else refusal(Fault("body", "body_too_large", f"send at most {limit} bytes"), 413)
            for each in deliveries
        ]
    except MasterKeyMissing as missing:
        _log.error("delivery_not_stored", error=str(missing))
        return [refusal(Fault("account", "unavailable", "deliver again later"), 503) for _ in deliveries]
    except Refused as refused:
        return [_answer(refused, code) for _ in deliveries]
    except (DBAPIError, PoolTimeout) as error:
        _log.error("delivery_not_stored", error=type(error).__name__)
        return [refusal(Fault("database", "unavailable", "deliver again later"), 503) for _ in deliveries]


def _answer(received: bool | Refused, code: str) -> Answer:  # noqa: FBT001 (what the inbox says)
    if isinstance(received, Refused):
        _log.warning("delivery_refused", code=received.code, account=code)
        return refusal(received.faults[0], 503 if received.code in _CLOSED else 400)
    return {"received": True, "new": received}, 200
