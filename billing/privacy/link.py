"""Links: what opens a customer's page. Signed, for one purpose, until a moment of wall time, with nothing personal.

Format: base64url of version, purpose, 16 bytes of the subject's id, 4 of the customer's epoch, 8 of the end in Unix
seconds, and half of an HMAC-SHA256 over all that (16 bytes). A link is as good as a password for what it opens, so it
is never stored and never logged: make it where it is handed out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from uuid import UUID

from billing.kernel.errors import Fault, Refused

KEY_PURPOSE = "customer links"
"""What the signing key is derived for (`Keyring.derive`, `Keyring.derive_all`)."""

_VERSION = 1
_HEAD = struct.Struct(">BB16sIQ")
_MAC_BYTES = 16
_LONGEST = 100


class LinkKind(IntEnum):
    """What a link opens: one invoice to pay (with older open ones of its customer), a customer's page, or a document.

    A document names both parties, which the pages to pay at do not: whoever has one of those links reads no name.
    """

    INVOICE = 1
    PROFILE = 2
    DOCUMENT = 3


@dataclass(frozen=True, slots=True)
class Link:
    """What a token says. `epoch` is the customer's at the time of making: a later one revokes it."""

    kind: LinkKind
    subject: UUID
    epoch: int
    expires_at: datetime
    """Aware, wall time, whole seconds."""


def sign(key: bytes, link: Link) -> str:
    """The token, URL-safe. `key` is the newest derived for `KEY_PURPOSE`."""
    head = _HEAD.pack(_VERSION, link.kind, link.subject.bytes, link.epoch, int(link.expires_at.timestamp()))
    return base64.urlsafe_b64encode(head + _mac(key, head)).rstrip(b"=").decode()


def read(keys: Sequence[bytes], token: str, *, wall: datetime) -> Link:
    """What the token says, signed under any of `keys`. `wall` is wall time.

    Raises `Refused`: as `genuine` does, `link_expired`.
    """
    link = genuine(keys, token)
    if wall >= link.expires_at:
        raise Refused(Fault("link", "link_expired", "ask for a new link"))
    return link


def genuine(keys: Sequence[bytes], token: str) -> Link:
    """What the token says if we signed it, whether it still opens anything or not.

    Raises `Refused`: `link_invalid` (altered, cut off, another purpose's).
    """
    raw = _decoded(token)
    head, mac = raw[: _HEAD.size], raw[_HEAD.size :]
    if len(raw) != _HEAD.size + _MAC_BYTES or not any(hmac.compare_digest(mac, _mac(key, head)) for key in keys):
        raise _invalid()
    version, kind, subject, epoch, end = _HEAD.unpack(head)
    if version != _VERSION:
        raise _invalid()
    return Link(LinkKind(kind), UUID(bytes=subject), epoch, datetime.fromtimestamp(end, UTC))


def _decoded(token: str) -> bytes:
    if len(token) > _LONGEST or not token.isascii():
        raise _invalid()
    try:
        raw = base64.b64decode(token.translate(str.maketrans("-_", "+/")) + "=" * (-len(token) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise _invalid() from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
        # The last character has bits that decode to nothing: one link has one spelling.
        raise _invalid()
    return raw


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, b"billing: link\0" + head, "sha256")[:_MAC_BYTES]


def _invalid() -> Refused:
    return Refused(Fault("link", "link_invalid", "open the link exactly as it was sent"))
