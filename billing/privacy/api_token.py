"""Keys of the HTTP API: `bk_<prefix>_<secret>`. Only the prefix is ever shown again, and only a hash is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"bk_[0-9a-z]{10}_[0-9A-Za-z_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A new key. `token` is for the one who asked for it, and for nobody else."""

    prefix: str
    token: str = field(repr=False)


def new_token() -> ApiToken:
    """Random: 256 bits that nobody guesses, behind 51 that tell keys apart."""
    prefix = "bk_" + "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return ApiToken(prefix, f"{prefix}_{secrets.token_urlsafe(32)}")


def fingerprint(token: str) -> bytes | None:
    """What is kept of a key, and looked up. None where it can be no key of ours."""
    return hashlib.sha256(token.encode()).digest() if _SHAPE.fullmatch(token) else None
