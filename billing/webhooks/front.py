"""The front: deliveries are answered here, before the web framework, whose own work costs more than storing one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_input_stream

from billing.kernel.errors import Fault
from billing.settings.accounts import CODE_LETTERS
from billing.webhooks.answer import Answer, Receiver, refusal

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_log = structlog.get_logger(__name__)

_ROOT = "/webhooks/"
_CODE = re.compile(f"[{CODE_LETTERS.lower()}]{{1,200}}")
"""What may be an account's code: nothing else is asked for in the database, nor written into a log."""
_JSON = "application/json"


class Front:
    """`POST /webhooks/<provider>[/<account code>]` goes to the provider's receiver, everything else to `behind`.

    Refuses by itself what is larger than `most_bytes` (413), without more of it than that in memory. What type a body
    is said to be does not matter: the signature over its bytes counts. An error is logged and answered 500, and never
    echoes its input.
    """

    def __init__(self, behind: WSGIApplication, receivers: Mapping[str, Receiver], *, most_bytes: int) -> None:
        self._behind, self._receivers, self._most_bytes = behind, dict(receivers), most_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        provider, code = _addressed(path) if path.startswith(_ROOT) else ("", "")
        receiver = self._receivers.get(provider)
        if receiver is None or environ["REQUEST_METHOD"] != "POST":
            return self._behind(environ, start_response)
        try:
            body, status = self._taken(receiver, code, environ)
        except ClientDisconnected:
            body, status = refusal(Fault("body", "body_cut_off", "send as much as Content-Length says"), 400)
        except Exception:  # noqa: BLE001 (logged with its trace; the provider tries again)
            _log.exception("delivery_failed", provider=provider)
            body, status = refusal(Fault("server", "failed", "deliver again later"), 500)
        told = json.dumps(body, separators=(",", ":")).encode()
        phrase = f"{status} {HTTPStatus(status).phrase}"
        start_response(phrase, [("Content-Type", _JSON), ("Content-Length", str(len(told)))])
        return [told]

    def _taken(self, receiver: Receiver, code: str, environ: WSGIEnvironment) -> Answer:
        raw = _read(environ, self._most_bytes + 1)
        if len(raw) > self._most_bytes:
            return refusal(Fault("body", "body_too_large", f"send at most {self._most_bytes} bytes"), 413)
        return receiver(code, raw, environ)


def _addressed(path: str) -> tuple[str, str]:
    """Provider and account code of a receiver's path; empty where it is none."""
    provider, slash, code = path.removeprefix(_ROOT).partition("/")
    if not slash:
        return provider, "default"
    return (provider, code) if _CODE.fullmatch(code) else ("", "")


def _read(environ: WSGIEnvironment, most: int) -> bytes:
    """The body, or its first `most` bytes: a server may hand it over in pieces, and one that is cut off is refused."""
    stream, pieces, left = get_input_stream(environ), [], most
    while left and (piece := stream.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
