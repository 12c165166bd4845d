"""Sealed values: AES-256-GCM, bound to the place where they stand, so that a value moved to another row won't open.

Format: one version byte, 12 bytes of nonce, then ciphertext and tag (29 bytes more than the plain value). The
associated data is version, table, row and column (DECISIONS 14).
"""

from __future__ import annotations

import os
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from billing.kernel.errors import BillingError

_VERSION = b"\x01"
_NONCE_BYTES = 12
_SHORTEST = len(_VERSION) + _NONCE_BYTES + 16


class SealBroken(BillingError):
    """The value was not sealed for this place under this key: moved, altered, or another key. Never retried."""


def seal(key: bytes, plain: bytes, *, table: str, row: UUID, column: str) -> bytes:
    """Encrypt `plain` for one place. `key` is 32 bytes. Each call gives other bytes; none can be compared."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, _place(table, column) + row.bytes)


def unseal(key: bytes, sealed: bytes, *, table: str, row: UUID, column: str) -> bytes:
    """Decrypt what `seal` made for the same place. Raises `SealBroken`."""
    if len(sealed) < _SHORTEST or sealed[:1] != _VERSION:
        raise SealBroken(f"{table}.{column} of {row} is not a sealed value of a known version")
    nonce = sealed[1 : 1 + _NONCE_BYTES]
    try:
        return AESGCM(key).decrypt(nonce, sealed[1 + _NONCE_BYTES :], _place(table, column) + row.bytes)
    except InvalidTag:
        raise SealBroken(f"{table}.{column} of {row} does not open with this key in this place") from None


@lru_cache(maxsize=256)
def _place(table: str, column: str) -> bytes:
    # The row's 16 bytes follow; names hold no NUL, so no two places read alike.
    return _VERSION + table.encode() + b"\0" + column.encode() + b"\0"
