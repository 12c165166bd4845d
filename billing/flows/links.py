"""Links to the customer's page: made where they are handed out, never stored; taken back customer by customer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import Invoice, Profile
from billing.privacy.link import KEY_PURPOSE, Link, LinkKind, genuine, read, sign
from billing.queries.profile import lock_profile

_MEND = "set it to the address at which customers reach this service, such as https://pay.example.com"


def invoice_link(parts: Parts, session: Session, invoice_id: UUID) -> str:
    """The address at which this invoice is paid, good for `billing_link_days` from now.

    For mails and answers that leave now: each call makes another. Raises `Refused`: `public_url_missing` (ask
    `has_links` first where a message goes without), `invoice_not_found`.
    """
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
    return _address(parts, session, LinkKind.INVOICE, invoice.id, invoice.profile_id)


def profile_link(parts: Parts, session: Session, profile_id: UUID) -> str:
    """The address of the customer's page: all that is open, and the payment method. As `invoice_link`."""
    return _address(parts, session, LinkKind.PROFILE, profile_id, profile_id)


def document_link(parts: Parts, session: Session, invoice_id: UUID) -> str:
    """The address of an issued document, which names both parties; append `.pdf` for the file. As `invoice_link`.

    Raises `Refused` (`document_not_issued`) for a draft.
    """
    invoice = session.get(Invoice, invoice_id)
    if invoice is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
    if invoice.number is None:
        raise Refused(Fault("invoice", "document_not_issued", "a draft is no document; issue it first"))
    return _address(parts, session, LinkKind.DOCUMENT, invoice.id, invoice.profile_id)


def document_addresses(parts: Parts, session: Session, made: Mapping[UUID, datetime]) -> dict[UUID, str]:
    """The addresses of issued documents, by id, good for `billing_link_days` from the moment given with each.

    The same moment gives the same address. Where there are no links, none.
    """
    if not made or not has_links(parts):
        return {}
    query = (
        select(Invoice.id, Profile.link_epoch)
        .join(Profile, Profile.id == Invoice.profile_id)
        .where(Invoice.id.in_(made), Invoice.number.is_not(None))
    )
    days = parts.settings.billing_link_days
    return {
        id_: _signed(parts, Link(LinkKind.DOCUMENT, id_, epoch, _end(made[id_], days)))
        for id_, epoch in session.execute(query)
    }


def has_links(parts: Parts) -> bool:
    """Whether links can be made here at all."""
    return parts.settings.billing_public_url is not None


def revoke_links(parts: Parts, profile_id: UUID, *, order: Order) -> Done:
    """Make every link of this customer worthless, from now on. Raises `Refused` (`profile_not_found`)."""
    with carry_out(parts, order) as session:
        profile = lock_profile(session, profile_id)
        profile.link_epoch += 1
        session.flush()
        note(
            parts,
            session,
            order,
            action="profile.revoke_links",
            subject_type="profile",
            subject_id=profile.id,
            seller_id=profile.seller_id,
            before={"link_epoch": profile.link_epoch - 1},
            after={"link_epoch": profile.link_epoch},
        )
        account = profile.account_id
    return Done(profile_id, account, changed=True, told="links handed out so far open nothing any more")


def require_genuine(parts: Parts, token: str) -> None:
    """Ask nobody, not even the database, whether we signed the token. Raises `Refused` (`link_invalid`)."""
    genuine(parts.keyring.derive_all(KEY_PURPOSE), token)


def opened_link(parts: Parts, session: Session, token: str) -> tuple[Link, Profile]:
    """What the token opens, and whose it is. Raises `Refused`: `link_invalid`, `link_expired`, `link_revoked`."""
    link = read(parts.keyring.derive_all(KEY_PURPOSE), token, wall=wall_now(session))
    profile_id: UUID | None = link.subject
    if link.kind is not LinkKind.PROFILE:
        invoice = session.get(Invoice, link.subject)
        profile_id = invoice.profile_id if invoice is not None else None
    profile = session.get(Profile, profile_id) if profile_id is not None else None
    if profile is None:
        raise Refused(Fault("link", "link_invalid", "open the link exactly as it was sent"))
    if profile.link_epoch != link.epoch:
        raise Refused(Fault("link", "link_revoked", "ask for a new link"))
    return link, profile


def _address(parts: Parts, session: Session, kind: LinkKind, subject: UUID, profile_id: UUID) -> str:
    profile = session.get(Profile, profile_id)
    if profile is None:
        raise Refused(Fault("profile", "profile_not_found", "give the account of the host application, or an id"))
    until = _end(wall_now(session), parts.settings.billing_link_days)
    return _signed(parts, Link(kind, subject, profile.link_epoch, until))


def _signed(parts: Parts, link: Link) -> str:
    public = parts.settings.billing_public_url
    if public is None:
        raise Refused(Fault("BILLING_PUBLIC_URL", "public_url_missing", _MEND))
    place = "documents" if link.kind is LinkKind.DOCUMENT else "pay"
    return f"{public.rstrip('/')}/{place}/{sign(parts.keyring.derive(KEY_PURPOSE), link)}"


def _end(wall: datetime, days: int) -> datetime:
    return (wall + timedelta(days=days)).replace(microsecond=0)
