"""Sealed columns open: under a key that lives, in the place where they stand. None holds its value in the clear.

Customers are streamed with their key in the order of their ids; event bodies are looked at by their first byte, because
they are read seldom and their key is one an account.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing.kernel.errors import Refused
from billing.privacy.sealed import SealBroken, unseal
from billing.queries.audit.invariant import Finding, Invariant, Reading, finds

_PROFILES = """
SELECT p.id, p.personal, k.id AS key_id, k.master_id, k.wrapped
FROM billing.profile p
LEFT JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id
WHERE p.erased_at IS NULL
"""


def closed_profiles(reading: Reading) -> Iterator[Finding]:
    """Stream every customer's sealed part and accuse what doesn't open."""
    for row in reading.read(_PROFILES):
        if row.key_id is None:
            yield Finding("profile", str(row.id), "its personal part has no key")
            continue
        try:
            key = reading.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id)
            unseal(key, row.personal, table="profile", row=row.id, column="personal")
        except (Refused, SealBroken):
            yield Finding("profile", str(row.id), "its personal part does not open")


_KEYS = "SELECT id, purpose, master_id FROM billing.data_key"


def lost_keys(reading: Reading) -> Iterator[Finding]:
    """Accuse keys whose master key nobody has."""
    known = set(reading.keyring.master_ids)
    for row in reading.read(_KEYS):
        if row.master_id not in known:
            yield Finding("data_key", str(row.id), f"a {row.purpose} key under the master key {row.master_id}, unknown")


# A sealed value begins with its version and is 29 bytes longer than the plain one.
_PLAIN = r"""
SELECT 'provider_event', id, 'its body is not sealed'
FROM billing.provider_event
WHERE body IS NOT NULL AND (substring(body FROM 1 FOR 1) <> '\x01'::bytea OR length(body) < 29)
"""

SEALED = Invariant(
    code="S3",
    meaning="What is personal stands sealed, and opens under a key that is at hand.",
    counted="SELECT count(*) FROM billing.profile",
    checks=(closed_profiles, lost_keys, finds(_PLAIN)),
)

_REMEMBERED = """
SELECT 'profile', p.id, 'is erased, and its data key, sealed part or account is still there'
FROM billing.profile p
WHERE p.erased_at IS NOT NULL
  AND (length(p.personal) > 0 OR p.account_id <> 'erased-' || p.id OR p.tax_id_check IS NOT NULL
       OR EXISTS (SELECT FROM billing.data_key k WHERE k.purpose = 'profile' AND k.owner_id = p.id))
"""
_CARDS_REMEMBERED = """
SELECT 'payment_method', m.id, 'is of a customer who is erased, and says which card it was'
FROM billing.payment_method m JOIN billing.profile p ON p.id = m.profile_id
WHERE p.erased_at IS NOT NULL
  AND num_nonnulls(m.fingerprint, m.brand, m.last4, m.exp_month, m.exp_year, m.mandate_ref,
                   m.mandate_reference) > 0
"""
_TRIES_REMEMBERED = """
SELECT 'payment', a.id, 'is of a customer who is erased, and says which card it was'
FROM billing.payment a JOIN billing.profile p ON p.id = a.profile_id
WHERE p.erased_at IS NOT NULL AND a.card_fingerprint IS NOT NULL
"""
_BRAKES_REMEMBERED = """
SELECT 'work_item', w.id, 'is of a customer who is erased, and names their account: erase them again'
FROM billing.work_item w JOIN billing.profile p ON p.id = w.profile_id
WHERE p.erased_at IS NOT NULL AND w.subject_type = 'brake' AND position('customer ' || p.id IN w.summary) = 0
"""

FORGOTTEN = Invariant(
    code="S5",
    meaning="Of an erased customer nothing personal is left but what issued documents hold under their own key.",
    counted="SELECT count(*) FROM billing.profile",
    checks=(finds(_REMEMBERED), finds(_CARDS_REMEMBERED), finds(_TRIES_REMEMBERED), finds(_BRAKES_REMEMBERED)),
)
