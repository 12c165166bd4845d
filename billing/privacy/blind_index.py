"""Keyed hashes: equality of sealed values without opening them, and the fingerprint of an issued document.

A plain hash of a name or an e-mail address can be guessed by trying; under a key it can't (DECISIONS 14).
"""

from __future__ import annotations

import hmac
import unicodedata
from functools import lru_cache


def normalised(value: str) -> str:
    """What counts as the same value: Unicode form, case and runs of white space make no difference."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def blind_index(key: bytes, value: str) -> bytes:
    """32 bytes that are equal for equal normalised values. `key` comes from `Keyring.derive` for this index alone."""
    return hmac.digest(key, normalised(value).encode(), "sha256")


def content_hash(key: bytes, canonical: bytes) -> bytes:
    """32 bytes that fix a document's plain snapshot. `key` is its document key, so a rotated master changes nothing."""
    return hmac.digest(_fingerprint_key(key), canonical, "sha256")


@lru_cache(maxsize=64)
def _fingerprint_key(key: bytes) -> bytes:
    # The document key also encrypts; each use gets a key of its own.
    return hmac.digest(key, b"billing: content hash", "sha256")
