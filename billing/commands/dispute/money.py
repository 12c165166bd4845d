"""The money of a dispute. Each move is booked once, as the difference to what is booked.

Taken: Dr disputes, Cr provider clearing. Given back: the reverse. Lost: Dr receivable, Cr disputes: the invoice is owed
again, as disputed, until a person decides (DECISIONS 29); of money kept apart, Dr unapplied payments. The caller holds
the invoice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances
from billing.commands.dispute.work import LET_GO
from billing.commands.ledger.post import post
from billing.commands.payment.unapplied import take_back, take_off
from billing.commands.refund.lost import owe_again, settle_by_loss
from billing.commands.refund.record import raise_owed
from billing.kernel.money import divide_half_away
from billing.kernel.status import OPEN_DISPUTE, DisputeStatus
from billing.models import Account, Dispute, Invoice, UnappliedPayment
from billing.providers.port import DisputeFacts
from billing.queries.correction import paid_by
from billing.queries.dispute import disputed, held_minor, regained_minor


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute and the invoice that its money is on, both locked."""

    session: Session
    dispute: Dispute
    invoice: Invoice
    now: datetime
    mixed: bool
    """Whether it was taken and given back in several currencies: its sums are nominal, and no rest of them is lost."""

    def book(self, kind: str, sides: dict[Account, int], currency: str | None = None) -> None:
        """One entry, in the currency of our balance unless told otherwise."""
        row = self.dispute
        currency = currency or row.moved_currency
        assert currency is not None
        post(
            self.session,
            kind=kind,
            seller_id=row.seller_id,
            profile_id=row.profile_id,
            invoice_id=row.invoice_id,
            payment_id=row.payment_id,
            charge_ref=row.charge_ref,
            currency=currency,
            sides=tuple((account, amount) for account, amount in sides.items() if amount),
            now=self.now,
        )

    def book_debt(self, kind: str, *, owed: int, gone: int, lost: int = 0, repaid: int = 0) -> None:
        """Dr receivable `owed` in the invoice's currency, Cr disputes `gone` in our balance's. See `_book_against`.

        What of `owed` was `repaid` is the customer's credit instead: it was paid twice.
        """
        debt = {Account.RECEIVABLE: owed - repaid, Account.CUSTOMER_CREDIT: repaid}
        self._book_against(kind, debt, currency=self.invoice.currency, lost=lost, gone=gone)

    def book_apart(self, kind: str, row: UnappliedPayment, *, taken: int, gone: int, lost: int = 0) -> None:
        """The same of money kept apart: Dr unapplied payments `taken`."""
        debt = {Account.UNAPPLIED_PAYMENTS: taken}
        self._book_against(kind, debt, currency=row.currency, lost=lost, gone=gone)

    def _book_against(self, kind: str, debt: dict[Account, int], *, currency: str, lost: int, gone: int) -> None:
        """What was taken beyond the debt is exchange where the cardholder's currency is another, else it is lost.

        `lost`: that, where our balance is in another currency than the debt. How much it cost there is exchange then.
        """
        owed = sum(debt.values())
        if self.dispute.moved_currency == currency:
            self.book(kind, {**debt, Account.DISPUTES: -gone, self.beyond(currency): gone - owed})
            return
        if owed or lost:
            against = {Account.WRITE_OFF: lost, Account.EXCHANGE_DIFFERENCES: -owed - lost}
            self.book(kind, {**debt, **against}, currency)
        self.book(kind, {Account.EXCHANGE_DIFFERENCES: gone, Account.DISPUTES: -gone})

    def lost_beyond(self, currency: str, owed: int) -> int:
        """What of the dispute was not owed in this currency; 0 where it's not known, or `gone` says it."""
        known = self.dispute.currency == currency != self.dispute.moved_currency
        return self.dispute.amount_minor - owed if known else 0

    def beyond(self, currency: str) -> Account:
        """Where a rest goes of what was paid in this currency: exchange, unless all is in one; then it is lost."""
        same = self.dispute.currency == self.dispute.moved_currency == currency
        return Account.WRITE_OFF if same else Account.EXCHANGE_DIFFERENCES

    def rest_of(self, currency: str) -> Account:
        """The same of what is left of the dispute itself."""
        return Account.EXCHANGE_DIFFERENCES if self.mixed else self.beyond(currency)


def move_money(case: Case, facts: DisputeFacts) -> None:
    """Book what is new in `facts`, and what follows from it. Nothing is booked twice: the books say what was."""
    dispute = case.dispute
    taken = max(0, facts.withdrawn_minor - dispute.withdrawn_minor)
    given = max(0, facts.reinstated_minor - dispute.reinstated_minor)
    dispute.moved_currency = dispute.moved_currency or facts.moved_currency
    if taken:
        dispute.withdrawn_minor += taken
        case.book("dispute_withdrawn", {Account.DISPUTES: taken, Account.PROVIDER_CLEARING: -taken})
    if given:
        dispute.reinstated_minor += given
        case.book("dispute_reinstated", {Account.PROVIDER_CLEARING: given, Account.DISPUTES: -given})
    if dispute.moved_currency is None:
        return
    row = _kept_apart(case)
    if dispute.status == DisputeStatus.LOST:
        _follow_loss(case, row, held_minor(case.session, dispute))
        if row is None and dispute.payment_id is not None:
            settle_by_loss(case.session, payment_id=dispute.payment_id, now=case.now)
    elif dispute.status == DisputeStatus.WON:
        _follow_win(case, row)
        for refund in owe_again(case.session, dispute=dispute, now=case.now):
            raise_owed(case.session, refund=refund, now=case.now)
    _leave_no_rest(case, row)


def _follow_loss(case: Case, row: UnappliedPayment | None, held: int) -> None:
    dispute = case.dispute
    if held < 0:
        _lower_loss(case, row, -held)
    elif held and not (dispute.reopened_minor or dispute.apart_minor or dispute.beyond_minor or dispute.decision):
        # No loss of it is in the books yet: any was one of these.
        if row is not None:
            _lose_apart(case, row, held)
        else:
            _lose(case, held)


def _follow_win(case: Case, row: UnappliedPayment | None) -> None:
    dispute = case.dispute
    if dispute.reopened_minor or (row is None and dispute.decision is not None):
        _regain(case)
    elif row is not None and (dispute.apart_minor or dispute.beyond_minor):
        back, lost = dispute.apart_minor, dispute.beyond_minor
        case.book_apart("dispute_regained", row, taken=-back, gone=-dispute.withdrawn_minor, lost=-lost)
        dispute.apart_minor = dispute.beyond_minor = 0
        if back:
            take_back(case.session, row=row, invoice=case.invoice, amount_minor=back, now=case.now)


def _kept_apart(case: Case) -> UnappliedPayment | None:
    """The row of the charge, where its money had met no debt; locked after the invoice."""
    of_it = (
        UnappliedPayment.provider_account_id == case.dispute.provider_account_id,
        UnappliedPayment.charge_ref == case.dispute.charge_ref,
    )
    return case.session.scalars(select(UnappliedPayment).where(*of_it).with_for_update(key_share=True)).one_or_none()


def _lose_apart(case: Case, row: UnappliedPayment, gone: int) -> None:
    """Money that had met no debt is simply gone, as much of it as was disputed."""
    dispute = case.dispute
    # A dispute in another currency than the charge's is taken to be of all that is left.
    asked = _asked(case, row.currency, gone) if dispute.currency == row.currency else row.left_minor
    taken = min(asked, row.left_minor)
    dispute.apart_minor, dispute.beyond_minor = taken, case.lost_beyond(row.currency, taken)
    case.book_apart("dispute_lost", row, taken=taken, gone=gone, lost=dispute.beyond_minor)
    if taken:
        take_off(case.session, row=row, invoice=case.invoice, amount_minor=taken, now=case.now)


def _lose(case: Case, gone: int) -> None:
    """The debt is open again."""
    dispute, invoice = case.dispute, case.invoice
    paid = paid_by(case.session, invoice.id)
    # What came out of the balance, or past the provider, no bank takes back.
    charged = min(invoice.amount_paid_minor, sum(each.amount_minor for each in paid))
    # A claim at the provider and a chargeback may both take the same charge: it was paid once, so it is owed once.
    owed = charged - invoice.amount_refunded_minor - disputed(case.session, invoice.id).lost_minor
    if dispute.currency == invoice.currency:
        owed = min(owed, _asked(case, invoice.currency, gone))
    else:
        # A dispute in another currency than the invoice's is taken to be of all that is left of its charge.
        owed = min(owed, sum(each.left_minor for each in paid if each.charge_ref == dispute.charge_ref))
    if owed > 0:
        dispute.reopened_minor = owed
    else:
        # All of it had gone back before: there is no debt to decide on.
        dispute.decision, dispute.decided_at = "write_off", case.now
    dispute.beyond_minor = case.lost_beyond(invoice.currency, dispute.reopened_minor)
    case.book_debt("dispute_lost", owed=dispute.reopened_minor, gone=gone, lost=dispute.beyond_minor)


def _asked(case: Case, currency: str, gone: int) -> int:
    """What of a dispute in this currency is lost: not what it has given back before, as far as that is known there."""
    known = case.dispute.reinstated_minor and case.rest_of(currency) is Account.WRITE_OFF
    return min(case.dispute.amount_minor, gone) if known else case.dispute.amount_minor


def _lower_loss(case: Case, row: UnappliedPayment | None, given: int) -> None:
    """A part of a loss came back though it stays one: as much of its debt is gone, or is kept apart again.

    In another currency, or after a decision, there is no such part: it is a rest.
    """
    dispute = case.dispute
    if row is not None and case.rest_of(row.currency) is Account.WRITE_OFF:
        part = min(given, dispute.apart_minor)
        if part:
            case.book_apart("dispute_regained", row, taken=-part, gone=-part)
            dispute.apart_minor -= part
            take_back(case.session, row=row, invoice=case.invoice, amount_minor=part, now=case.now)
    elif dispute.decision is None and case.rest_of(case.invoice.currency) is Account.WRITE_OFF:
        part = min(given, dispute.owed_minor)
        if part:
            case.book_debt("dispute_regained", owed=-part, gone=-part)
            dispute.reopened_minor -= part


def _leave_no_rest(case: Case, row: UnappliedPayment | None) -> None:
    """A dispute that is over leaves nothing on its account: it was won in part, or at another rate of exchange.

    One that is won and has given nothing back yet will. What came back after a decision is a person's work.
    """
    dispute = case.dispute
    if dispute.status in OPEN_DISPUTE:
        return
    if dispute.status == DisputeStatus.WON and (not dispute.reinstated_minor or dispute.decision in LET_GO):
        return
    rest = held_minor(case.session, dispute)
    if rest:
        where = case.rest_of(row.currency if row is not None else case.invoice.currency)
        case.book("dispute_rest", {where: rest, Account.DISPUTES: -rest})


def _regain(case: Case) -> None:
    """The issuer has given in after all. What was paid another way meanwhile is paid twice: it goes into the balance.

    What a person had written off or credited stays so; that the money is back is told to a person. Where nothing is
    given up, since all of it had gone back before or was paid after all, nothing is left to them.
    """
    dispute, repaid = case.dispute, case.dispute.repaid_minor
    settled = dispute.decision != "credit_note" and not dispute.given_up_minor
    if not settled and not repaid:
        return
    if settled:
        owed, gone = -dispute.reopened_minor, -dispute.withdrawn_minor
        if case.mixed:
            # Its rest is exchange: what was regained in parts before would be that, and taken off what was lost.
            gone += regained_minor(case.session, dispute)
        case.book_debt("dispute_regained", owed=owed, gone=gone, lost=-dispute.beyond_minor, repaid=-repaid)
        # Should it be lost again, by an appeal, then nobody has paid that.
        dispute.decision = dispute.decided_at = None
        dispute.beyond_minor = 0
    else:
        # In the currency of our balance, as much as that part was of all that the dispute took.
        same = dispute.moved_currency == case.invoice.currency
        whole = dispute.amount_minor if dispute.currency == case.invoice.currency else dispute.reopened_minor
        part = repaid if same else divide_half_away(dispute.withdrawn_minor * repaid, whole)
        case.book_debt("dispute_regained", owed=-repaid, gone=-part, repaid=-repaid)
    if repaid:
        move_balances(case.session, {(dispute.seller_id, dispute.profile_id, case.invoice.currency): repaid})
    dispute.reopened_minor = 0 if settled else dispute.reopened_minor - repaid
    dispute.repaid_minor = 0
