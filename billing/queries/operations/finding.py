"""Finding the one thing that an operator names: by our id, by its number or code, by the host's account."""

from __future__ import annotations

import re
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused

_PAYMENT = "SELECT id FROM billing.payment WHERE id = CAST(:id AS uuid)"
_SELLER = "SELECT id FROM billing.seller WHERE code = :name OR id = CAST(:id AS uuid) LIMIT 2"
_ENDPOINT = "SELECT id FROM billing.endpoint WHERE code = :name OR id = CAST(:id AS uuid) LIMIT 2"
_MOST_TOLD = 10
_NO_SELLER = "there is none yet: `billing import` a file that has one"
_SELLERS = f"SELECT id, code FROM billing.seller ORDER BY code LIMIT {_MOST_TOLD + 1}"  # noqa: S608 (our own number)

# Names are unique within a seller, a series or a provider account: there are few, and each is asked by its index.
_INVOICE = """
    SELECT i.id FROM billing.series s JOIN billing.invoice i
        ON i.series_id = s.id AND i.series_no = CAST(:no AS integer) AND i.number = :name
    UNION SELECT id FROM billing.invoice WHERE id = CAST(:id AS uuid) LIMIT 2
"""
_PROFILE = """
    SELECT p.id FROM billing.seller s JOIN billing.profile p ON p.seller_id = s.id AND p.account_id = :name
    UNION SELECT id FROM billing.profile WHERE id = CAST(:id AS uuid) LIMIT 2
"""
_SUBSCRIPTION = """
    SELECT u.id FROM billing.seller s JOIN billing.subscription u ON u.seller_id = s.id AND u.code = :name
    UNION SELECT id FROM billing.subscription WHERE id = CAST(:id AS uuid) LIMIT 2
"""
_EVENT = """
    SELECT e.id FROM billing.provider_account a JOIN billing.provider_event e
        ON e.provider_account_id = a.id AND e.event_ref = :name
    UNION SELECT id FROM billing.provider_event WHERE id = CAST(:id AS uuid) LIMIT 2
"""
_DISPUTE = """
    SELECT d.id FROM billing.provider_account a JOIN billing.dispute d
        ON d.provider_account_id = a.id AND d.dispute_ref = :name
    UNION SELECT id FROM billing.dispute WHERE id = CAST(:id AS uuid) LIMIT 2
"""
_DIGITS = re.compile(r"[0-9]{1,9}$")


def find_endpoint(session: Session, name: str) -> UUID:
    """By code or id. Raises `Refused`: `endpoint_not_found`, `endpoint_ambiguous` (two sellers with one code)."""
    return _one(session, _ENDPOINT, "endpoint", name, "give its name or its id; `billing endpoints list` shows both")


def only_seller(session: Session) -> UUID:
    """The one seller there is. Raises `Refused` (`seller_missing`) where there are several, or none."""
    found = session.execute(text(_SELLERS)).all()
    if not found:
        raise Refused(Fault("seller", "seller_missing", _NO_SELLER))
    if len(found) > 1:
        mend = "there are several; say which one, by `--seller` or, in a program, by its code"
        raise Refused(Fault("seller", "seller_missing", f"{mend}: {_codes(session)}"))
    return UUID(str(found[0].id))


def _codes(session: Session) -> str:
    found = session.execute(text(_SELLERS)).all()
    return ", ".join([row.code for row in found[:_MOST_TOLD]] + ["…"] * (len(found) > _MOST_TOLD))


def find_seller(session: Session, name: str) -> UUID:
    """By code or id. Raises `Refused` (`seller_not_found`), which names those there are."""
    codes = _codes(session)
    return _one(session, _SELLER, "seller", name, f"give its code or its id: {codes}" if codes else _NO_SELLER)


def find_invoice(session: Session, name: str) -> UUID:
    """By number or id. Raises `Refused`: `invoice_not_found`, `invoice_ambiguous` (two sellers with one prefix)."""
    return _one(session, _INVOICE, "invoice", name, "give its number or its id; `billing invoice list` shows both")


def find_payment(session: Session, name: str) -> UUID:
    """By id. Raises `Refused` (`payment_not_found`)."""
    return _one(session, _PAYMENT, "payment", name, "give its id; `billing payment list` shows it")


def find_profile(session: Session, name: str) -> UUID:
    """By the host's account or by id. Raises `Refused`: `profile_not_found`, `profile_ambiguous`."""
    return _one(session, _PROFILE, "profile", name, "give the account of the host application, or the profile's id")


def require_account(session: Session, account: str | None) -> None:
    """Raise `Refused` (`profile_not_found`) where no customer, of any seller, has the account that a list is about."""
    if account is not None and session.execute(text(_PROFILE), {"name": account, "id": None}).first() is None:
        raise Refused(Fault("profile", "profile_not_found", "give the account of the host application"))


def require_subscription(session: Session, code: str | None) -> None:
    """Raise `Refused` (`subscription_not_found`) where no subscription, of any seller, has the code of a list."""
    if code is not None and session.execute(text(_SUBSCRIPTION), {"name": code, "id": None}).first() is None:
        mend = "give its code; `billing profile show` lists those of a customer"
        raise Refused(Fault("subscription", "subscription_not_found", mend))


def find_subscription(session: Session, name: str) -> UUID:
    """By code or id. Raises `Refused`: `subscription_not_found`, `subscription_ambiguous`."""
    return _one(session, _SUBSCRIPTION, "subscription", name, "give its code or id; `billing profile show` lists them")


def find_event(session: Session, name: str) -> UUID:
    """By our id or the provider's. Raises `Refused`: `event_not_found`, `event_ambiguous`."""
    return _one(session, _EVENT, "event", name, "give its id or the provider's; `billing events list` shows both")


def find_dispute(session: Session, name: str) -> UUID:
    """By our id or the provider's. Raises `Refused`: `dispute_not_found`, `dispute_ambiguous`."""
    return _one(session, _DISPUTE, "dispute", name, "give its id or the provider's; `billing dispute list` shows both")


def _one(session: Session, statement: str, noun: str, name: str, mend: str) -> UUID:
    values = {"name": name, "id": _as_id(name), "no": place_in_series(name)}
    found = session.execute(text(statement), values).scalars().all()
    if not found:
        raise Refused(Fault(noun, f"{noun}_not_found", mend))
    if len(found) > 1:
        raise Refused(Fault(noun, f"{noun}_ambiguous", "there are several of that name; give its id"))
    return UUID(str(found[0]))


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def place_in_series(number: str) -> int | None:
    """42 of ACME-000042."""
    match = _DIGITS.search(number)
    return int(match[0]) if match else None
