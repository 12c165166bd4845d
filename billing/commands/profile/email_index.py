"""The blind index of an e-mail address: equal for equal addresses, whatever their case, and telling nothing else."""

from __future__ import annotations

from billing.privacy.blind_index import blind_index

NONE = b""
"""Of who has no address: looked at, and never found."""


def email_index(key: bytes, email: str | None) -> bytes:
    """32 bytes, or none. `key` is `commands.key.obtain.email_key`."""
    return blind_index(key, email) if email else NONE
