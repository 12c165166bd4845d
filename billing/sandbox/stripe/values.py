"""Small words that every room here uses: JSON objects and Stripe-like ids."""

from __future__ import annotations

import hashlib
import secrets
import string
from typing import Any

Json = dict[str, Any]

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    """An id that looks like Stripe's: prefix, underscore, 24 random letters and digits."""
    return prefix + "_" + "".join(secrets.choice(_ALPHABET) for _ in range(24))


def digest(text: str, *, length: int = 16) -> str:
    """A one-way name for something that must not be stored itself."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]
