"""Small words that every room here uses: JSON objects and Stripe-like ids."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

Json = dict[str, Any]


def new_id(prefix: str) -> str:
    """An id like Stripe's: prefix, underscore, 24 random letters and digits."""
    return f"{prefix}_{secrets.token_hex(12)}"


dump = json.JSONEncoder(separators=(",", ":")).encode
"""JSON as it is stored and sent."""


def digest(text: str, *, length: int = 16) -> str:
    """A one-way name for something that must not be stored itself."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]
