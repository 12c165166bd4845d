"""Deciding on a lost dispute: the reopened debt is written off, or credited by a note. The provider is not asked."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.dispute.decide import credited, require_undecided, write_off
from billing.commands.expected_version import require_version
from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.note import credit_note
from billing.flows.issuing import issue_documents, note_parties
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import format_minor
from billing.models import Account, Dispute, Invoice
from billing.queries.correction import creditable_loss, notes_of
from billing.queries.dispute import lock_dispute
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile


@dataclass(frozen=True, slots=True)
class Decided:
    """The invoice, what is credited or written off of it, and the number of the note, if one was issued.

    Minor units. `given_up_minor` is written off beside what the note credits.
    """

    number: str
    amount_minor: int
    currency: str
    note: str | None
    given_up_minor: int = 0

    @property
    def told(self) -> str:
        """It in a sentence."""
        amount = format_minor(self.amount_minor, self.currency)
        told = f"{amount} are credited by {self.note}" if self.note else f"{amount} are written off"
        if self.given_up_minor:
            told += f", {format_minor(self.given_up_minor, self.currency)} had been before and are written off"
        return told


def write_off_loss(parts: Parts, dispute_id: UUID, *, order: Order) -> Decided:
    """What the dispute has taken is not expected any more: a loss of ours. The tax stays due.

    Raises `Refused`: `dispute_not_found`, `dispute_not_lost`, `dispute_decided`.
    """
    with carry_out(parts, order) as session:
        dispute, invoice = _held(session, dispute_id, order)
        owed = dispute.owed_minor
        write_off(session, dispute=dispute, invoice=invoice, now=parts.clock.now(session))
        made = Decided(invoice.number or "invoice", owed, invoice.currency, None)
        return _noted(parts, session, order, dispute, made)


def credit_loss(parts: Parts, dispute_id: UUID, *, order: Order) -> Decided:
    """What the dispute has taken was not owed: a credit note takes back revenue and tax.

    What had been credited before is in the customer's balance as well as in their hands: that part is written off.
    Raises as `write_off_loss`, and `Refused` (`credit_exceeds_invoice`) where all of it had been.
    """
    with carry_out(parts, order) as session:
        dispute, invoice = _held(session, dispute_id, order)
        owed = dispute.owed_minor
        most = creditable_loss(session, invoice, owed_minor=owed)
        if most < 1:
            mend = "all of the document was credited before; write the loss off"
            raise Refused(Fault("dispute", "credit_exceeds_invoice", mend))
        now = parts.clock.now(session)
        document = credit_note(
            invoice,
            amount_minor=most,
            earlier=notes_of(session, invoice.id),
            parties=note_parties(parts, session, invoice),
            counter=Account.RECEIVABLE,
        )
        (issued,) = issue_documents(parts, session, [document], wallet=Wallet(), now=now)
        credited(session, dispute=dispute, invoice=invoice, amount_minor=most, now=now)
        made = Decided(invoice.number or "invoice", most, invoice.currency, issued.number, owed - most)
        return _noted(parts, session, order, dispute, made)


def _held(session: Session, dispute_id: UUID, order: Order) -> tuple[Dispute, Invoice]:
    found = session.get(Dispute, dispute_id)
    if found is None:
        raise Refused(Fault("dispute", "dispute_not_found", "give the id of a dispute, ours or the provider's"))
    lock_profile(session, found.profile_id)
    invoice = lock_invoice(session, found.invoice_id)
    dispute = lock_dispute(session, dispute_id)
    require_version(dispute, order.expected_version)
    require_undecided(dispute)
    return dispute, invoice


def _noted(parts: Parts, session: Session, order: Order, dispute: Dispute, made: Decided) -> Decided:
    after = {"decision": dispute.decision, "amount_minor": made.amount_minor}
    note(
        parts,
        session,
        order,
        action=f"dispute.{dispute.decision}",
        subject_type="dispute",
        subject_id=dispute.id,
        seller_id=dispute.seller_id,
        before={"status": dispute.status},
        after=after | ({"credit_note": made.note, "written_off_minor": made.given_up_minor} if made.note else {}),
    )
    return made
