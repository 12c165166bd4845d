"""Passwords of operators: made by us, kept as Argon2id, compared in the same time whether there is such an operator."""

from __future__ import annotations

import os
import secrets

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 5, 5
_SALT_BYTES, _HASH_BYTES = 16, 32
# cheatsheetseries.owasp.org, Password Storage: Argon2id with 19 MiB, two passes, one lane.
_MEMORY_KIB, _PASSES, _LANES = 19_456, 2, 1
_LONGEST = 200
"""Bytes: what is longer was never a password of ours, and hashing it would cost."""


def new_password() -> str:
    """A password of 25 letters and digits that are not mistaken for each other (124 bits), in groups of five."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def hashed(password: str) -> str:
    """In PHC format, with its own salt and cost."""
    made = Argon2id(
        salt=os.urandom(_SALT_BYTES), length=_HASH_BYTES, iterations=_PASSES, lanes=_LANES, memory_cost=_MEMORY_KIB
    )
    return made.derive_phc_encoded(password.encode())


NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
"""Compared with where there is no such operator, so that the answer takes as long and is always no."""


def matches(password: str, phc: str) -> bool:
    """Whether this password was hashed to `phc`."""
    try:
        Argon2id.verify_phc_encoded(password.encode()[:_LONGEST], phc)
    except InvalidKey:
        return False
    return True
