"""What can be done about a customer's balance, an attempt, a dispute, and an event that came in."""

from __future__ import annotations

from uuid import UUID

from billing.flows import accepting, operating
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import EXPONENTS, format_minor
from billing.kernel.status import OPEN_PAYMENT
from billing.queries.operations.paging import Facts
from billing.rules.permission import Permission
from billing.views.console.acting.act import Act, Field, Given, Stake
from billing.views.console.acting.reading import amount_field, minor


def _usual_currency(facts: Facts) -> str:
    """That of their credit, debt or subscriptions; none where these are of several."""
    found = {row["currency"].upper() for name in ("credit", "owed", "subscriptions") for row in facts[name]}
    return found.pop() if len(found) == 1 else ""


def _all_of_it(facts: Facts) -> str:
    """All of their credit; none where it is in several currencies."""
    return amount_field(facts["credit"][0], "amount_minor") if len(facts["credit"]) == 1 else ""


def _balances(facts: Facts) -> list[tuple[str, str]]:
    return [(row["currency"], format_minor(row["amount_minor"], row["currency"])) for row in facts["credit"]]


_MONEY = (
    Field("amount", "Amount", hint="4.50 or 1,234.50", numeric=True),
    Field("currency", "Currency", first=_usual_currency, hint="EUR"),
)
_CREDIT = (
    Field("amount", "Amount", first=_all_of_it, hint="4.50 or 1,234.50", numeric=True),
    Field("currency", "Out of the balance of", options=_balances),
)
_SOURCE = Field(
    "source", "Where it comes from",
    options=lambda _: (("given", "We give it"), ("prepaid", "They have paid it, for no invoice")),
    required=False,
)  # fmt: skip


def _in_currency(_: Parts, __: Facts, given: Given) -> Stake:
    currency = given.get("currency", "").lower()
    if currency not in EXPONENTS:
        raise Refused(Fault("currency", "unknown_currency", "give a code of ISO 4217 such as eur"))
    return Stake({currency: minor(given.get("amount", ""), currency)}, {})


def _carried_forward(_: Parts, facts: Facts, __: Given) -> Stake:
    return Stake({row["currency"]: row["amount_minor"] for row in facts["carried_forward"]}, {})


def _given_or_paid(parts: Parts, facts: Facts, given: Given) -> Stake:
    return Stake(_in_currency(parts, facts, given).amounts, {"prepaid": given.get("source") == "prepaid"})


def _ask(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    answer = operating.resolve_payment(parts, id_, order=order)
    if not answer.asked:
        return Done(id_, "attempt", changed=False, told=f"it is {answer.status} already; nothing was asked")
    why = f" ({answer.reason})" if answer.reason else ""
    return Done(id_, "attempt", changed=True, told=f"it was {answer.before} and is {answer.status}{why}")


def _handle_anew(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return operating.replay_event(parts, id_, order=order)


def _revoke(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return accepting.revoke(parts, id_, order=order)


def _is_lost(facts: Facts) -> bool:
    return facts["reopened_minor"] > 0 and facts["decision"] is None


def _taken(_: Parts, facts: Facts, __: Given) -> Stake:
    return Stake({facts["reopened_currency"]: facts["reopened_minor"] - facts["repaid_minor"]}, {})


CUSTOMER = (
    Act(
        "credit", "Give credit", "Puts credit into the balance; the next invoices in that currency use it up.",
        lambda facts: facts["erased_at"] is None, Permission.MONEY, (*_MONEY, _SOURCE), stake=_given_or_paid,
        subject="profile",
    ),
    Act(
        "pay_out", "Pay credit out", "Sends credit back to charges that the customer paid, newest first.",
        lambda facts: bool(facts["credit"]), Permission.MONEY, _CREDIT, stake=_in_currency, subject="profile",
    ),
    Act(
        "carried_forward_write_off", "Write off what is carried forward",
        "Gives up what was too little to be charged: no invoice of theirs is going to ask for it.",
        lambda facts: bool(facts["carried_forward"]), Permission.MONEY, stake=_carried_forward, subject="profile",
    ),
)  # fmt: skip

PAYMENT = (
    Act(
        "resolve", "Ask the provider", "Asks now what became of it, and settles what is proven. Nothing is guessed.",
        lambda facts: facts["status"] in OPEN_PAYMENT, do=_ask, can_try=False,
    ),
)  # fmt: skip

DISPUTE = (
    Act(
        "dispute_write_off", "Write the loss off",
        "Gives up what the lost dispute has taken: a loss of ours; invoice and tax stand.",
        _is_lost, Permission.MONEY, stake=_taken, subject="dispute",
    ),
    Act(
        "dispute_credit", "Credit the customer",
        "Owns that the lost dispute was right: a credit note takes revenue and tax back. No money moves.",
        _is_lost, Permission.MONEY, stake=_taken, subject="dispute",
    ),
)  # fmt: skip

ACCEPTANCE = (
    Act(
        "revoke", "Revoke it", "The next audit of everything accuses it again, and it is work again.",
        lambda facts: facts["state"] == "in_force", do=_revoke,
    ),
)  # fmt: skip

EVENT = (
    Act(
        "replay", "Handle anew", "Has it handled once more, as when its cause is mended. It settles nothing twice.",
        lambda _: True, do=_handle_anew,
    ),
)  # fmt: skip
