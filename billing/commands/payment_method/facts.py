"""What may be shown of a method, as it stands in its columns; never a number, never a holder."""

from __future__ import annotations

from typing import Any

from billing.providers.port import MethodFacts


def facts_columns(facts: MethodFacts) -> dict[str, Any]:
    """The provider's id of the method and its display details."""
    return {
        "method_ref": facts.method_ref,
        "kind": facts.kind,
        "brand": facts.brand,
        "last4": facts.last4,
        "exp_month": facts.exp_month,
        "exp_year": facts.exp_year,
        "funding": facts.funding,
        "issuing_country": facts.issuing_country,
        "wallet": facts.wallet,
        "fingerprint": facts.fingerprint,
    }
