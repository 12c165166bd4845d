"""One cell of a table: an amount, an instant, a state, or a name that leads somewhere."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from billing.kernel.money import plain
from billing.queries.operations.paging import Facts
from billing.rules.figures import price_of
from billing.rules.tax import TaxGroup
from billing.views.console.rendering import amount, badge, instant, money, value, words

_STATES = {"status", "invoice_status", "intent_status", "disposition", "state"}
_PAGES = {
    "invoice_id": "invoices", "payment_id": "payments", "profile_id": "customers", "subscription_id": "subscriptions",
    "endpoint_id": "endpoints", "hold_id": "items", "work_item_id": "items",
}  # fmt: skip
_SEARCHED = {
    "account_id", "invoice", "subscription", "anonymous_id", "intent_ref", "charge_ref", "customer_ref", "event_ref",
    "dispute_ref", "payout_ref", "object_ref", "object_id", "subject_id", "refund_ref", "endpoint", "corrects",
}  # fmt: skip
_WORDS = {"kind", "account", "decline_code", "advice_code", "disposition", "buyer_kind", "step"}
_NAMES = {
    "cancel_at": "ends", "current_period_end": "period ends", "amount_remaining_minor": "still owed",
    "next_attempt_at": "next try", "status": "state", "hold_id": "held by", "next_due_at": "next renewal",
    "account_id": "customer", "attempt_no": "attempt", "charge_ref": "charge", "intent_ref": "intent",
    "object_ref": "object", "profile_id": "customer's id", "invoice_id": "invoice's id",
    "dispute_ref": "dispute", "event_ref": "provider's id", "payout_ref": "payout", "decline_code": "declined with",
}  # fmt: skip


_LISTS = {"events": "Events in", "outgoing": "Events out", "items": "Work items", "acceptances": "Accepted findings"}
"""Lists whose address is not their name."""
OURS = (
    "id", "invoice_id", "payment_id", "profile_id", "lease_until", "token", "secret_index", "has_body", "livemode",
    "moved_currency", "reopened_currency", "version",
)  # fmt: skip
"""Facts of a thing that nobody asks for first."""


def named(place: str) -> str:
    """A list as people call it."""
    return _LISTS.get(place) or place.capitalize()


def only(facts: Facts, names: Iterable[str]) -> Facts:
    """Those of the facts."""
    return {name: facts[name] for name in names if name in facts}


def heading(column: str) -> str:
    """A column's name as a person reads it."""
    plain = _NAMES.get(column) or column.removesuffix("_minor").removesuffix("_at").replace("_", " ")
    return plain[:1].upper() + plain[1:]


def is_number(column: str) -> bool:
    """Whether its cells stand to the right."""
    return column.endswith("_minor") or column in ("tries", "quantity", "attempt_no", "streak", "waiting", "dead",
                                                   "dunning_step", "duration_ms")  # fmt: skip


def cell(row: Facts, column: str) -> Markup | str:
    """What stands in it."""
    given = row[column]
    if column.endswith("_minor"):
        return amount(row, column)
    if column.endswith("_at") or column == "at":
        return instant(given) if given is not None else "–"
    if column in _STATES:
        mark = Markup(" ") + badge("charged_back") if row.get("amount_charged_back_minor") else ""
        return badge(given) + mark
    if given is None or given == "":
        return "–"
    if column in _PAGES:
        return _link(f"/console/{_PAGES[column]}/{given}", given)
    if column in _SEARCHED:
        return _link(f"/console/search?q={quote(str(given), safe='')}", given)
    # A reason is a provider's code, or a person's sentence, which is left as it was written.
    is_code = column in _WORDS or (column == "reason" and str(given).isidentifier())
    return words(given) if is_code else value(given)


def short(id_: Any) -> Markup:
    """The end of an id, which tells rows of one table apart; all of it on demand."""
    return Markup('<code title="{}">…{}</code>').format(id_, str(id_)[-8:])


def span(start: datetime | None, end: datetime | None) -> Markup | str:
    """From one instant to another; of midnights the dates alone say it."""
    if start is None or end is None:
        return ""
    if start.time() == end.time() == time():
        return Markup('{} – {} <abbr title="Coordinated Universal Time">UTC</abbr>').format(start.date(), end.date())
    return Markup("{} – {}").format(instant(start), instant(end))


def unit_price(unit: Decimal | None, currency: str) -> str:
    """A price of one, exactly; tiers have none of their own."""
    return price_of(str(unit), currency) if unit is not None else "by tiers"


def taxes(facts: Facts) -> list[tuple[str, int, bool]]:
    """Each tax of a document: its name with the rate, its amount, and that it is no sum."""
    groups = [TaxGroup.of(each) for each in facts["tax_groups"]]
    return [(f"Tax, {plain(group.percent)} % of {money(group.base_minor, facts['currency'])}", group.tax_minor, False)
            for group in groups]  # fmt: skip


def is_long(given: Any) -> bool:
    """Whether its cell wants room of its own."""
    return isinstance(given, dict | list) or (isinstance(given, str) and len(given) > 60)


def _link(address: str, name: Any) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, name)
