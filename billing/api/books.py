"""`/reports` and `/ledger`: what finance people are asked for, each tied to the trial balance; closing a month."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation
from billing.api.shapes import Day, Exact, Instant, Minor, Shape, Why, YesOrNo, facts
from billing.flows import bookkeeping
from billing.kernel.errors import Fault, Refused
from billing.models import Account
from billing.queries.books import reports
from billing.queries.books.payout import payout_report
from billing.queries.books.report import Report as Found
from billing.queries.books.tax import tax_report
from billing.queries.books.trial_balance import trial_balances
from billing.validators.api_key import Scope

Month = Annotated[str, Field(pattern="^[12][0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-01"])]


class MonthQuery(Shape):
    """Which month, by accounting date."""

    month: Month


class DayQuery(Shape):
    """The last day that counts, by accounting date."""

    as_of: Day


class SpanQuery(DayQuery):
    """The first day of the turnover, too: what lies before is `opening_minor`. By default there is no such day."""

    since: Day | None = None


class CustomersQuery(DayQuery):
    """`by_customer`: a row for each of them."""

    by_customer: YesOrNo = False


class Tie(Shape):
    """What the report comes to and what its account says; `difference_minor` is 0, or the books are broken."""

    currency: str
    account: str
    report_minor: Minor
    ledger_minor: Minor
    difference_minor: Minor


Row = TypeVar("Row", bound=Shape)


class Report(Shape, Generic[Row]):
    """The rows, and their tie to the ledger in each currency."""

    rows: list[Row]
    ties: list[Tie]


class TaxRow(Shape):
    """Tax of documents of one kind, country, treatment and rate. Notes count negative."""

    currency: str
    country: str
    code: str
    percent: Exact
    documents: str
    number: int
    base_minor: Minor
    amount_minor: Minor


class AgingRow(Shape):
    """What is owed, by how late it is. `account_id`: by whom, where that was asked for."""

    currency: str
    account_id: str | None
    late: str
    invoices: int
    amount_minor: Minor


class DeferredRow(Shape):
    """What is invoiced and not yet earned, by the month that will earn it."""

    currency: str
    month: str
    lines: int
    amount_minor: Minor


class PayoutRow(Shape):
    """A payout, as far as it is yours."""

    currency: str
    payout: str
    status: str
    opened: date
    arrives: date | None
    amount_minor: Minor
    in_transit_minor: Minor
    banked_minor: Minor


class PayoutQuery(Shape):
    """Which one, by the provider's id of it."""

    payout: str = Field(min_length=1, max_length=200, examples=["po_1"])


class MovementRow(Shape):
    """A movement of the provider's balance that a payout holds, with the document that it is of.

    `amount_minor` is gross, `fee_minor` what the provider took of it, `net_minor` what reached the bank. `type` in the
    provider's words, and `not_listed` for what no movement of ours explains.
    """

    currency: str
    occurred_at: Instant
    type: str
    movement: str | None
    source: str | None
    invoice: str | None
    account_id: str | None
    amount_minor: Minor
    fee_minor: Minor
    net_minor: Minor


class Standing(Shape):
    """What an account stood at before `since`, its turnover from then to the day, and what it stands at then.

    A debit is positive. `code`: in your own chart.
    """

    account: str
    code: str | None
    opening_minor: Minor
    debit_minor: Minor
    credit_minor: Minor
    balance_minor: Minor


class TrialBalance(Shape):
    """All accounts in one currency; their balances sum to nothing."""

    currency: str
    accounts: list[Standing]
    difference_minor: Minor


class TrialBalances(Shape):
    """One a currency."""

    data: list[TrialBalance]


class CloseGiven(Why):
    """The month that is over."""

    month: Month


class Closed(Shape):
    """A closed month: what comes later is dated in the open one."""

    month: str


class AccountGiven(Why):
    """An account, and its number in your own chart; null takes the number away."""

    account: Account = Field(strict=False)
    code: str | None = Field(default=None, min_length=1, max_length=50, pattern=r"^[!-~]+$")


class AccountNamed(Shape):
    """An account's number in your own chart."""

    account: str
    code: str | None


def _report(read: Callable[..., Found], answer: type[Report[Any]], row: type[Shape]) -> Callable[[Call], Report[Any]]:
    def act(call: Call) -> Report[Any]:
        asked = call.query.model_dump()
        if "month" in asked:
            asked["month"] = _first(asked["month"])
        with call.parts.begin() as session:
            found = read(session, seller_id=call.seller_id, **asked)
        ties = [Tie(**{name: getattr(tie, name) for name in Tie.model_fields}) for tie in found.ties]
        return answer(rows=[facts(row, each) for each in found.rows], ties=ties)

    return act


def _first(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def _balances(call: Call) -> TrialBalances:
    asked = call.query
    if asked.since is not None and asked.as_of < asked.since:
        raise Refused(Fault("since", "not_valid", "give a day that is not after as_of"))
    with call.parts.begin() as session:
        found = trial_balances(session, as_of=asked.as_of, since=asked.since, seller_id=call.seller_id)
    return TrialBalances(
        data=[
            TrialBalance(
                currency=each.currency,
                accounts=[
                    Standing(
                        account=row.account,
                        code=row.code,
                        opening_minor=row.opening_minor,
                        debit_minor=row.debit_minor,
                        credit_minor=row.credit_minor,
                        balance_minor=row.balance_minor,
                    )
                    for row in each.accounts
                ],
                difference_minor=each.difference_minor,
            )
            for each in found
        ]
    )


def _close(call: Call) -> None:
    given: CloseGiven = call.body
    order = call.order(lambda _: Closed(month=given.month), reason=given.reason)
    bookkeeping.close(call.parts, call.seller_id, month=_first(given.month), order=order)


def _name(call: Call) -> None:
    given: AccountGiven = call.body

    def told(_: Session) -> AccountNamed:
        return AccountNamed(account=given.account, code=given.code)

    order = call.order(told, reason=given.reason)
    bookkeeping.name_account(call.parts, call.seller_id, account=given.account, code=given.code, order=order)


OPERATIONS = (
    Operation("GET", "/reports/tax", "report_tax", "Tax of a month's documents; ties to tax_payable.", Scope.BOOKS,
              _report(tax_report, Report[TaxRow], TaxRow), Report[TaxRow], query=MonthQuery),
    Operation("GET", "/reports/aging", "report_aging", "What was owed at the end of a day; ties to receivable.",
              Scope.BOOKS, _report(reports.aging_report, Report[AgingRow], AgingRow), Report[AgingRow],
              query=CustomersQuery),
    Operation("GET", "/reports/deferred", "report_deferred",
              "What was not yet earned at the end of a day; ties to deferred_revenue.", Scope.BOOKS,
              _report(reports.deferred_report, Report[DeferredRow], DeferredRow), Report[DeferredRow], query=DayQuery),
    Operation("GET", "/reports/payouts", "report_payouts",
              "Payouts of a month; ties to payouts_in_transit and bank.", Scope.BOOKS,
              _report(reports.payouts_report, Report[PayoutRow], PayoutRow), Report[PayoutRow], query=MonthQuery),
    Operation("GET", "/reports/payout", "report_payout",
              "What one payout holds, each movement with its fee and invoice; ties to what was booked as sent.",
              Scope.BOOKS, _report(payout_report, Report[MovementRow], MovementRow), Report[MovementRow],
              query=PayoutQuery),
    Operation("GET", "/ledger/trial-balance", "show_trial_balance", "What each account stands at.", Scope.BOOKS,
              _balances, TrialBalances, query=SpanQuery),
    Operation("POST", "/ledger/close", "close_month", "Close a month; a closed one stays as it is.", Scope.BOOKS,
              _close, Closed, body=CloseGiven),
    Operation("POST", "/ledger/accounts", "name_account", "Give an account its number in your own chart.", Scope.BOOKS,
              _name, AccountNamed, body=AccountGiven),
)  # fmt: skip
