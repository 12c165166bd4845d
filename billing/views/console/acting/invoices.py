"""What can be done about an invoice."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from billing.flows import operating, operating_drafts
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.kernel.clock import format_instant
from billing.queries.operations.paging import Facts
from billing.rules.permission import Permission
from billing.views.console.acting.act import Act, Field, Given, Stake
from billing.views.console.acting.reading import amount_field, instant, minor


def _is(*states: str) -> Callable[[Facts], bool]:
    """For invoices in these states; notes and cancellations are not acted on."""
    return lambda facts: facts["kind"] == "invoice" and facts["status"] in states


def _with_left(what: str, *states: str) -> Callable[[Facts], bool]:
    """Of these there is something left; while a dispute is open, that stands in the act's place."""
    return lambda facts: _is(*states)(facts) and bool(facts["dispute_bars"] or facts[what])


def _undisputed(facts: Facts) -> str:
    return "not while a dispute of it is open" if facts["dispute_bars"] else ""


def _retry(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return operating.retry_invoice(parts, id_, order=order)


def _release(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return operating_drafts.release(parts, id_, order=order)


def _named(_: Parts, facts: Facts, given: Given) -> Stake:
    currency = facts["currency"]
    return Stake({currency: minor(given.get("amount", ""), currency)}, {})


def _owed(_: Parts, facts: Facts, __: Given) -> Stake:
    return Stake({facts["currency"]: facts["amount_remaining_minor"]}, {})


def _all_of_it(_: Parts, facts: Facts, __: Given) -> Stake:
    return Stake({facts["currency"]: facts["total_minor"]}, {})


def _came(parts: Parts, facts: Facts, given: Given) -> Stake:
    at = given.get("received_at", "")
    came = format_instant(instant(at, field="received_at")) if at else None
    return Stake(
        _named(parts, facts, given).amounts, {"reference": given.get("reference", "")[:200], "received_at": came}
    )


def _with_credit(facts: Facts) -> bool:
    return facts["balance_minor"] > 0 and _is("open", "uncollectible")(facts)


def _amount(*columns: str) -> Field:
    """At first the least of these, as far as there is any of it."""

    def least(facts: Facts) -> str:
        some = [each for each in columns if (facts.get(each) or 0) > 0]
        return amount_field(facts, min(some, key=facts.__getitem__)) if some else ""

    return Field(
        "amount", "Amount", first=least,
        unit=lambda facts: facts["currency"].upper(), numeric=True,
    )  # fmt: skip


ACTS = (
    Act(
        "retry", "Charge now",
        "Tries the charge now, outside the dunning schedule; that is neither used up nor moved.",
        _is("open"), do=_retry,
    ),
    Act("release", "Issue now", "Issues this draft now, before its review ends.", _is("draft"), do=_release),
    Act(
        "refund", "Refund", "Sends back what was paid through the provider, all or a part, with a credit note.",
        _with_left("refundable_minor", "paid"), Permission.MONEY, (_amount("refundable_minor"),), stake=_named,
        subject="invoice", barred=_undisputed,
    ),
    Act(
        "credit_note", "Credit note",
        "Takes an amount off what is owed; of a paid one it goes into the customer's balance. No money is sent.",
        _with_left("creditable_minor", "open", "paid"), Permission.MONEY,
        (_amount("amount_remaining_minor", "creditable_minor"),), stake=_named, subject="invoice",
        barred=_undisputed,
    ),
    Act(
        "apply_credit", "Pay by credit", "Pays it out of the customer's balance, all or a part. No document is issued.",
        _with_credit, Permission.MONEY, (_amount("amount_remaining_minor", "balance_minor"),), stake=_named,
        subject="invoice",
    ),
    Act(
        "mark_paid", "Mark paid",
        "Notes money that came another way. After a part the rest stays open; what is beyond goes into the balance. Of "
        "a paid one it first pays what a lost dispute has taken; where nothing is owed, give the bank's reference.",
        _is("open", "uncollectible", "paid", "void"), Permission.MONEY,
        (
            _amount("amount_remaining_minor", "amount_charged_back_minor"),
            Field("reference", "Reference of the bank or till", required=False),
            Field("received_at", "When it came", required=False, hint="2026-01-31, or empty: now"),
        ),
        stake=_came, subject="invoice",
    ),
    Act(
        "write_off", "Write off", "Gives up all that is owed, as a loss. It is not tried again; the document stands.",
        _is("open"), Permission.MONEY, stake=_owed, subject="invoice",
    ),
    Act(
        "void", "Void", "Takes it back: nothing is owed, its number stays, a cancellation document is issued.",
        _is("open"), Permission.MONEY, stake=_owed, subject="invoice",
    ),
    Act(
        "replace", "Issue anew",
        "Credits it in full and issues a corrected one for the same period, as customer and rates stand now.",
        _with_left("replaceable", "open", "paid"), Permission.MONEY, stake=_all_of_it, subject="invoice",
        barred=_undisputed,
    ),
)  # fmt: skip
