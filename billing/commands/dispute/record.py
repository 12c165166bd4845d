"""Record what the provider says of a dispute. Each move of money is booked once, as the difference to what is booked.

Taken: Dr disputes, Cr provider clearing. Given back: the reverse. Lost: Dr receivable, Cr disputes: the invoice is owed
again, as disputed, until a person decides (DECISIONS 29). The caller holds the invoice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances
from billing.commands.dispute.work import ask_a_person
from billing.commands.ledger.post import post
from billing.commands.work_item.close import close_for
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from billing.kernel.money import divide_half_away
from billing.kernel.moves import allowed
from billing.kernel.status import OPEN_DISPUTE, DisputeStatus
from billing.models import Account, Dispute, Invoice, UnappliedPayment
from billing.providers.port import DisputeFacts


@dataclass(frozen=True, slots=True)
class _Case:
    session: Session
    dispute: Dispute
    invoice: Invoice
    now: datetime

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

    def book_debt(self, kind: str, *, owed: int, gone: int, repaid: int = 0) -> None:
        """Dr receivable `owed` in the invoice's currency, Cr disputes `gone` in our balance's.

        What was taken beyond the debt is exchange where the cardholder's currency is another, else it is lost. What of
        `owed` was `repaid` is the customer's credit instead: it was paid twice.
        """
        row, currency = self.dispute, self.invoice.currency
        debt = {Account.RECEIVABLE: owed - repaid, Account.CUSTOMER_CREDIT: repaid}
        if row.moved_currency == currency:
            beyond = Account.WRITE_OFF if row.currency == currency else Account.EXCHANGE_DIFFERENCES
            rest = {beyond: gone - owed}
            self.book(kind, {**debt, Account.DISPUTES: -gone, **rest})
            return
        self.book(kind, {**debt, Account.EXCHANGE_DIFFERENCES: -owed}, self.invoice.currency)
        self.book(kind, {Account.EXCHANGE_DIFFERENCES: gone, Account.DISPUTES: -gone})


def new_dispute(*, invoice: Invoice, payment_id: UUID | None, account_id: UUID, facts: DisputeFacts) -> Dispute:
    """A row for a dispute that was not heard of before; `note_dispute` writes it, and books what it has moved."""
    return Dispute(
        id=new_id(),
        seller_id=invoice.seller_id,
        provider_account_id=account_id,
        dispute_ref=facts.dispute_ref,
        charge_ref=facts.charge_ref,
        invoice_id=invoice.id,
        payment_id=payment_id,
        profile_id=invoice.profile_id,
        amount_minor=facts.amount_minor,
        currency=facts.currency,
        status=facts.status,
        opened_at=facts.created,
        withdrawn_minor=0,
        reinstated_minor=0,
        reopened_minor=0,
    )


def note_dispute(session: Session, *, dispute: Dispute, invoice: Invoice, facts: DisputeFacts, now: datetime) -> None:
    """Take over the provider's state. A repeat changes nothing; an older state never takes a newer one back."""
    before, status = DisputeStatus(dispute.status), DisputeStatus(facts.status)
    if status != before and not allowed(before, status):
        return
    new = dispute.version is None
    dispute.status = status
    dispute.amount_minor, dispute.reason = facts.amount_minor, facts.reason
    dispute.refundable = facts.refundable
    dispute.due_by = facts.due_by if status in OPEN_DISPUTE else None
    if status in OPEN_DISPUTE:
        dispute.closed_at = None
    elif dispute.closed_at is None:
        dispute.closed_at = now
    session.add(dispute)
    session.flush()
    _move_money(_Case(session, dispute, invoice, now), facts)
    session.flush()
    ask_a_person(session, dispute=dispute, invoice=invoice, now=now)
    if new or status != before:
        _tell(session, dispute, now)


def _move_money(case: _Case, facts: DisputeFacts) -> None:
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
    gone = dispute.withdrawn_minor - dispute.reinstated_minor
    if dispute.status == DisputeStatus.LOST and gone and not dispute.reopened_minor and dispute.decision is None:
        _lose(case, gone)
    elif dispute.status == DisputeStatus.WON and dispute.reopened_minor:
        _regain(case)


def _lose(case: _Case, gone: int) -> None:
    """The debt is open again; money that had met no debt is simply gone."""
    dispute, invoice = case.dispute, case.invoice
    stray = case.session.scalars(
        select(UnappliedPayment)
        .where(
            UnappliedPayment.provider_account_id == dispute.provider_account_id,
            UnappliedPayment.charge_ref == dispute.charge_ref,
        )
        .with_for_update()
    ).one_or_none()
    if stray is not None:
        if stray.status == "held":
            stray.status = "refunded"
            case.book("dispute_lost", {Account.UNAPPLIED_PAYMENTS: gone, Account.DISPUTES: -gone})
            close_for(case.session, kind="payment_unapplied", subject_id=stray.id, now=case.now)
        return
    # A dispute in another currency than the invoice's is taken to be of all that was paid.
    kept = invoice.amount_paid_minor - invoice.amount_refunded_minor
    owed = max(0, min(kept, dispute.amount_minor)) if dispute.currency == invoice.currency else kept
    if owed > 0:
        dispute.reopened_minor = owed
    else:
        # All of it had gone back before: there is no debt to decide on.
        dispute.decision, dispute.decided_at = "write_off", case.now
    case.book_debt("dispute_lost", owed=owed, gone=gone)


def _regain(case: _Case) -> None:
    """The issuer has given in after all. What was paid another way meanwhile is paid twice: it goes into the balance.

    What a person had written off or credited stays so; that the money is back is told to a person.
    """
    dispute, repaid = case.dispute, case.dispute.repaid_minor
    settled = dispute.decision in (None, "paid")
    if not settled and not repaid:
        return
    if settled:
        case.book_debt("dispute_regained", owed=-dispute.reopened_minor, gone=-dispute.withdrawn_minor, repaid=-repaid)
    else:
        # In the currency of our balance, as much as that part was of the loss.
        same = dispute.moved_currency == case.invoice.currency
        part = repaid if same else divide_half_away(dispute.withdrawn_minor * repaid, dispute.reopened_minor)
        case.book_debt("dispute_regained", owed=-repaid, gone=-part, repaid=-repaid)
    if repaid:
        move_balances(case.session, {(dispute.seller_id, dispute.profile_id, case.invoice.currency): repaid})
    dispute.reopened_minor = 0 if settled else dispute.reopened_minor - repaid
    dispute.repaid_minor = 0


def _tell(session: Session, dispute: Dispute, now: datetime) -> None:
    emit(
        session,
        topic=Topic.DISPUTE_UPDATED,
        object_type="dispute",
        object_id=dispute.id,
        seller_id=dispute.seller_id,
        now=now,
        payload={
            "dispute_id": str(dispute.id),
            "invoice_id": str(dispute.invoice_id),
            "status": dispute.status,
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
        },
    )
