"""The stand-ins' webhook endpoints: registered once, for the events that have a handler, and moved with their port."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from billing.flows.handlers import HANDLERS, PAYPAL_HANDLERS
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
    return _asked("POST", base + path, data=fields, auth=(key, ""))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of an account at PayPal's stand-in, which is made by asking for it."""

    client_id: str
    client_secret: str = field(repr=False)


def register_paypal(base: str, credentials: Credentials, *, url: str, instead_of: str | None = None) -> str:
    """A new webhook; returns its id, which signatures name. The one that it stands `instead_of` is removed first."""
    headers = bearer(base, credentials)
    webhooks = f"{base}/v1/notifications/webhooks"
    if instead_of is not None:
        _asked("DELETE", f"{webhooks}/{instead_of}", headers=headers)
    types = [{"name": kind} for kind in sorted(PAYPAL_HANDLERS)]
    made = _asked("POST", webhooks, json={"url": url, "event_types": types}, headers=headers)
    return str(made["id"])


def bearer(base: str, credentials: Credentials) -> dict[str, str]:
    """The header with which PayPal is asked."""
    asked = (credentials.client_id, credentials.client_secret)
    grant = {"grant_type": "client_credentials"}
    token = _asked("POST", f"{base}/v1/oauth2/token", auth=asked, data=grant)["access_token"]
    return {"Authorization": f"Bearer {token}"}


def keep_root(base: str, path: Path) -> Path:
    """Write down whom a verifier of this stand-in's webhooks has to trust. Returns the file."""
    path.write_text(str(_asked("GET", f"{base}/_sandbox/root")["pem"]))
    return path


def _asked(method: str, address: str, **given: Any) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, address, timeout=_TIMEOUT_S, **given)
    if not answer.ok:
        raise StackFailed(f"the stand-in refuses the webhook endpoint with {answer.status_code}")
    told: dict[str, Any] = answer.json() if answer.content.strip() else {}
    return told
