"""The keyring: master keys, newest first, which wrap the data keys and are used for nothing else directly.

`BILLING_SECRET_KEY` holds them separated by commas, each as `id:key` or `key` alone, the key being 32 random bytes in
base64 (standard or URL-safe). Without an id, one is derived from the key's hash, so that it stays the same when a newer
key is put before it. To rotate: put the new key last everywhere, then first, rewrap the data keys, remove
the old one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from billing.kernel.errors import Fault, MasterKeyMissing, Refused
from billing.privacy.sealed import seal, unseal

_FIELD = "BILLING_SECRET_KEY"
_KEY_BYTES = 32
_FEWEST_DISTINCT = 16
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_WRAPPING = "wrap data keys"
_MEND = "give 32 random bytes in base64, as `billing.privacy.keyring.generate()` makes them"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key under a master key. `wrapped` opens only in the row that it was made for."""

    master_id: str
    wrapped: bytes


def missing_master(master_id: str) -> MasterKeyMissing:
    """What to raise where something was written under a master key of that id, which this process has not."""
    return MasterKeyMissing(Fault(_FIELD, "master_key_missing", f"add the master key with the id {master_id}"))


class Keyring:
    """The master keys of a process. Holds secrets: it shows none in its text and can't be pickled."""

    __slots__ = ("_masters", "_newest", "_wrapping")

    def __init__(self, masters: Mapping[str, bytes]) -> None:
        """`masters` by id, newest first; each 32 bytes."""
        if not masters:
            raise Refused(Fault(_FIELD, "secret_key_missing", _MEND))
        self._masters = dict(masters)
        self._newest = next(iter(masters))
        self._wrapping = {id_: _derived(key, _WRAPPING) for id_, key in masters.items()}

    @classmethod
    def from_setting(cls, text: str) -> Self:
        """Read `BILLING_SECRET_KEY`. Raises `Refused` with every fault, by place in the list and never by value."""
        masters: dict[str, bytes] = {}
        faults: list[Fault] = []
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        for place, entry in enumerate(entries, start=1):
            read = _read(entry, f"{_FIELD}[{place}]")
            if isinstance(read, Fault):
                faults.append(read)
            elif read[0] in masters:
                faults.append(Fault(f"{_FIELD}[{place}]", "secret_key_id_twice", "give each key an id of its own"))
            else:
                masters[read[0]] = read[1]
        if faults:
            raise Refused(faults)
        return cls(masters)

    @property
    def master_ids(self) -> tuple[str, ...]:
        """Newest first. Ids are no secrets."""
        return tuple(self._masters)

    def wrap(self, data_key: bytes, *, row: UUID) -> Wrapped:
        """Wrap a data key under the newest master key, for the `data_key` row of that id."""
        sealed = seal(self._wrapping[self._newest], data_key, table="data_key", row=row, column="wrapped")
        return Wrapped(self._newest, sealed)

    def unwrap(self, *, master_id: str, wrapped: bytes, row: UUID) -> bytes:
        """The data key. Raises `MasterKeyMissing`, `SealBroken`."""
        key = self._wrapping.get(master_id)
        if key is None:
            raise missing_master(master_id)
        return unseal(key, wrapped, table="data_key", row=row, column="wrapped")

    def rewrap(self, *, master_id: str, wrapped: bytes, row: UUID) -> Wrapped:
        """The same data key under the newest master key; what is under it already is returned as it is."""
        if master_id == self._newest:
            return Wrapped(master_id, wrapped)
        return self.wrap(self.unwrap(master_id=master_id, wrapped=wrapped, row=row), row=row)

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key of its own for `purpose` (a blind index, say), from the newest master key."""
        return _derived(self._masters[self._newest], purpose)

    def derive_all(self, purpose: str) -> tuple[bytes, ...]:
        """The purpose's key from every master key, newest first: looks up what was indexed before a rotation."""
        return tuple(_derived(master, purpose) for master in self._masters.values())

    def derive_each(self, purpose: str) -> dict[str, bytes]:
        """As `derive_all`, by the id of the master key."""
        return {id_: _derived(master, purpose) for id_, master in self._masters.items()}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._masters)})"

    def __reduce__(self) -> str:
        raise TypeError("a keyring is not pickled: secrets don't travel")


def generate() -> str:
    """A new master key, as the setting wants it."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _read(entry: str, field: str) -> tuple[str, bytes] | Fault:
    id_, separator, text = entry.rpartition(":")
    if separator and not _ID.fullmatch(id_):
        return Fault(field, "secret_key_bad_id", "an id has up to 32 letters, digits, - and _")
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (ValueError, binascii.Error):
        return Fault(field, "secret_key_not_base64", _MEND)
    if len(key) != _KEY_BYTES:
        return Fault(field, "secret_key_wrong_length", _MEND)
    if len(set(key)) < _FEWEST_DISTINCT:
        return Fault(field, "secret_key_too_simple", _MEND)
    return id_ or hashlib.sha256(b"billing master key id\0" + key).hexdigest()[:8], key


def _derived(master: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=f"billing: {purpose}".encode()).derive(master)
