"""Write methods that come with new profiles: active and default at once, with the provider's customer. In bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.payment_method.facts import facts_columns
from billing.db.bulk import insert_rows
from billing.events.bulk import emit_many, payload
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_ids
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, ProviderCustomer
from billing.providers.port import MethodFacts
from billing.validators.payment_method import Consent


@dataclass(frozen=True, slots=True)
class Adopted:
    """A new profile's customer at the provider, and its one method where it brings one."""

    profile_id: UUID
    customer_ref: str
    facts: MethodFacts | None
    consent: Consent | None
    given_ref: str | None
    """By which the file names the method."""


def adopt_methods(
    session: Session, *, seller_id: UUID, provider_account_id: UUID, adopted: Sequence[Adopted], now: datetime
) -> None:
    """Write all in three statements. The profiles have no method and no customer yet.

    Raises `Refused` (`customer_of_another_account`) where a profile that came meanwhile has one of the customers.
    """
    if not adopted:
        return
    customers = [
        {
            "id": id_,
            "seller_id": seller_id,
            "profile_id": each.profile_id,
            "provider_account_id": provider_account_id,
            "customer_ref": each.customer_ref,
        }
        for id_, each in zip(new_ids(len(adopted)), adopted, strict=True)
    ]
    taken_by = ("provider_account_id", "customer_ref")
    written = insert_rows(session, ProviderCustomer, customers, unless_taken=taken_by, returning=("customer_ref",))
    ours = {row.customer_ref for row in written}
    if taken := [each.customer_ref for each in adopted if each.customer_ref not in ours]:
        mend = "has been taken for another account meanwhile; bring it all again"
        faults = [Fault("provider_customer_id", "customer_of_another_account", f"{ref} {mend}") for ref in taken]
        raise Refused(faults)
    ids = new_ids(len(adopted))
    methods = [
        {
            "id": id_,
            "seller_id": seller_id,
            "profile_id": each.profile_id,
            "provider_account_id": provider_account_id,
            "status": MethodStatus.ACTIVE,
            "is_default": True,
            "version": 1,
            "given_ref": each.given_ref,
            "consent_text_version": each.consent.text_version,
            "consent_at": each.consent.given_at,
            "consent_channel": each.consent.channel,
            **facts_columns(each.facts),
        }
        for id_, each in zip(ids, adopted, strict=True)
        if each.facts is not None and each.consent is not None
    ]
    insert_rows(session, PaymentMethod, methods)
    emit_many(
        session,
        topic=Topic.PAYMENT_METHOD_ADDED,
        object_type="payment_method",
        now=now,
        events=[
            (seller_id, row["id"], payload(profile_id=row["profile_id"], kind=row["kind"], **_through(row["wallet"])))
            for row in methods
        ],
    )


def _through(wallet: str | None) -> dict[str, str]:
    return {"wallet": wallet} if wallet else {}
