"""Give an account of ours its number in the seller's own chart of accounts."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.models import Account, Seller
from billing.validators.checks import Checks


def map_account(session: Session, *, seller_id: UUID, account: str, code: str | None) -> tuple[str | None, str | None]:
    """Set (or, with None, forget) the number. Returns the one before and the one now; the same again changes nothing.

    Raises `Refused`: `unknown_account`, the faults of `code`, `seller_not_found`.
    """
    if account not in tuple(Account):
        raise Refused(Fault("account", "unknown_account", f"one of {', '.join(Account)}"))
    checks = Checks()
    if code is not None:
        checks.text("code", code, most=40)
    checks.done()
    seller = session.get(Seller, seller_id, with_for_update=True, populate_existing=True)
    if seller is None:
        raise Refused(Fault("seller", "seller_not_found", "give the code of a seller"))
    before = seller.account_codes.get(account)
    if before != code:
        known = {name: given for name, given in seller.account_codes.items() if name != account}
        seller.account_codes = known if code is None else {**known, account: code}
        session.flush()
    return before, code
