"""The stand-in's webhook endpoint: registered once, for the events that have a handler, and moved with its port."""

from __future__ import annotations

from typing import Any

import requests

from billing.flows.handlers import HANDLERS
from billing.sandbox.probes import StackFailed

_TIMEOUT_S = 10.0


def register(base: str, *, key: str, url: str) -> tuple[str, str]:
    """A new endpoint. Returns its id and its signing secret, which is told this once."""
    made = _post(base, "/v1/webhook_endpoints", key=key, url=url)
    return made["id"], made["secret"]


def move(base: str, *, key: str, id_: str, url: str) -> None:
    """The receiver has another address now; the secret stays."""
    _post(base, f"/v1/webhook_endpoints/{id_}", key=key, url=url)


def _post(base: str, path: str, *, key: str, url: str) -> dict[str, Any]:
    fields = [("url", url), *(("enabled_events[]", kind) for kind in sorted(HANDLERS))]
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(base + path, data=fields, auth=(key, ""), timeout=_TIMEOUT_S)
    if answer.status_code != requests.codes.ok:
        raise StackFailed(f"the stand-in refuses the webhook endpoint with {answer.status_code}")
    made: dict[str, Any] = answer.json()
    return made
