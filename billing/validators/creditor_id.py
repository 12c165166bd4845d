"""Creditor identifiers: by which a bank account's holder knows who debits it (EPC262-08, check digits of ISO 7064)."""

from __future__ import annotations

import re

_FORM = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{3}[A-Z0-9]{1,28}", re.ASCII)


def is_creditor_id(value: str) -> bool:
    """Country, check digits, a business code that the check leaves out, and the national part."""
    if not _FORM.fullmatch(value):
        return False
    checked = value[7:] + value[:4]
    return int("".join(str(int(letter, 36)) for letter in checked)) % 97 == 1
