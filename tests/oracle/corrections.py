"""Refunds, voids, write-offs and money that came another way (rule 13)."""

from fractions import Fraction

from tests.oracle import collection
from tests.oracle.amounts import rounded
from tests.oracle.state import Document, Refused, World


def _invoice(*, world: World, step: dict) -> Document:
    invoices = [document for document in world.ordered() if document.kind == "invoice"]
    if not 1 <= step["invoice"] <= len(invoices):
        raise Refused("invoice_not_found")
    return invoices[step["invoice"] - 1]


def refundable(*, document: Document) -> int:
    """What the provider was paid, less what went back and what proration credits took back, waiting ones too."""
    net = document.subtotal - document.discount
    credited = sum(rounded(Fraction(-line.amount * document.total, net)) for line in document.credits) if net else 0
    return document.provider_paid - document.amount_refunded - credited


def refund(*, world: World, step: dict) -> None:
    """Sends money back, with a credit note."""
    document = _invoice(world=world, step=step)
    most = refundable(document=document)
    amount = most if step.get("amount") is None else int(step["amount"])
    if most <= 0 or amount > most:
        raise Refused("refund_exceeds_paid")
    document.amount_refunded += amount
    share = Fraction(document.amount_refunded, document.total)
    tax = rounded(share * document.tax) - sum(note.tax for note in document.notes)
    on_top = rounded(share * document.tax_on_top) - sum(note.tax_on_top for note in document.notes)
    note = Document(
        place=len(world.documents),
        kind="credit_note",
        customer=document.customer,
        subscription=document.subscription,
        status="refunded",
        currency=document.currency,
        issued_at=world.now,
        period=document.period,
        lines=[],
        subtotal=amount - on_top,
        discount=0,
        tax=tax,
        tax_on_top=on_top,
        reverse_charge=document.reverse_charge,
        total=amount,
    )
    document.notes.append(note)
    world.documents.append(note)
    collection.payment(world=world, document=document, amount=amount, status="refunded")


def void(*, world: World, step: dict) -> None:
    """Voids an open invoice; its credit goes back to the balance."""
    document = _invoice(world=world, step=step)
    if document.status != "open":
        raise Refused("invoice_not_open")
    document.status = "void"
    document.customer.credit(currency=document.currency, amount=document.credit_applied)
    collection.settled(world=world, document=document)


def mark_uncollectible(*, world: World, step: dict) -> None:
    """Writes the rest of an open invoice off."""
    document = _invoice(world=world, step=step)
    if document.status != "open":
        raise Refused("invoice_not_open")
    document.status = "uncollectible"
    collection.settled(world=world, document=document)


def mark_paid(*, world: World, step: dict) -> None:
    """Records money that came another way."""
    document = _invoice(world=world, step=step)
    if document.status not in {"open", "uncollectible"}:
        raise Refused("invoice_not_open")
    document.status, document.amount_paid = "paid", document.amount_due
    collection.settled(world=world, document=document)
