"""Six digits of an authenticator application: TOTP (RFC 6238) with SHA-1 and 30 seconds, as all of them know it."""

from __future__ import annotations

import base64
import hmac
import os

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

_SECRET_BYTES = 20
_STEP_S = 30
_DIGITS = 6
_AROUND = (0, -1, 1)
"""Steps beside the present one that are taken: clocks differ, and people type slowly (RFC 6238, 5.2)."""


def new_secret() -> bytes:
    """20 random bytes."""
    return os.urandom(_SECRET_BYTES)


def code_at(secret: bytes, unix_s: float) -> str:
    """The code of the step in which this second lies."""
    return _totp(secret).generate(int(unix_s)).decode()


def step_of(secret: bytes, code: str, unix_s: float) -> int | None:
    """The step whose code this is, at most one from the present; None: it is none. Who asks takes each step once."""
    given = code.replace(" ", "").encode()
    now, found = int(unix_s) // _STEP_S, None
    for around in _AROUND:
        # All are compared, so that the time tells nothing of which it was.
        if hmac.compare_digest(given, _totp(secret).generate((now + around) * _STEP_S)):
            found = now + around
    return found


def setup_key(secret: bytes) -> str:
    """As authenticator applications take it when it is typed, in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def secret_of(key: str) -> bytes:
    """The secret that `setup_key` wrote. Raises `ValueError`."""
    return base64.b32decode(key.replace(" ", ""), casefold=True)


def setup_address(secret: bytes, name: str) -> str:
    """`otpauth://`, which such applications read from a QR code."""
    return _totp(secret).get_provisioning_uri(name, "Billing")


def _totp(secret: bytes) -> TOTP:
    # SHA-1 is what authenticator applications implement; as an HMAC key of 20 random bytes it is sound.
    return TOTP(secret, _DIGITS, SHA1(), _STEP_S)  # noqa: S303
