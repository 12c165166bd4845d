"""The sealed part of a profile: JSON of name, e-mail, address and tax id, under the profile's own key."""

from __future__ import annotations

import json
from uuid import UUID

from billing.privacy.sealed import seal
from billing.validators.profile import Personal


def seal_personal(personal: Personal, *, country: str, key: bytes, profile_id: UUID) -> bytes:
    """Seal for the profile's row; the country stands in the address too, as documents need it there."""
    plain = {
        "name": personal.name,
        "email": personal.email,
        "address": personal.address.within(country),
        "tax_id": personal.tax_id,
    }
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return seal(key, text.encode(), table="profile", row=profile_id, column="personal")
