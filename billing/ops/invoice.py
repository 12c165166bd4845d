"""`billing invoice`: documents, and what may be done to them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import click

from billing.flows import looking, operating
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.flows.start import start
from billing.kernel.status import InvoiceStatus
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import MINOR, as_json, dry_run, looked, ordered, paged
from billing.ops.printing import add_printing
from billing.ops.telling import tell_done, tell_facts, tell_json, tell_page
from billing.ops.times import INSTANT
from billing.queries.operations.explaining import document_account
from billing.queries.operations.finding import find_invoice, require_account
from billing.queries.operations.invoices import list_invoices, show_invoice
from billing.queries.operations.trail import trail_of, work_about
from billing.rules.explain import explain as in_words

_COLUMNS = (
    "number", "status", "account_id", "total_minor", "amount_remaining_minor", "issued_at", "next_attempt_at", "id",
)  # fmt: skip


@group("invoice")
def invoice() -> None:
    """Invoices: list, show, print, try again, void, write off, mark paid, credit, pay by credit."""


add_printing(invoice)


@invoice.command("list")
@click.option(
    "--status", type=click.Choice([each.value for each in InvoiceStatus]), help="Only documents in this state."
)
@click.option("--profile", type=click.UUID, help="Only this profile's, by id.")
@click.option("--customer", metavar="ACCOUNT", help="Only this customer's, by the account of the host application.")
@click.option("--since", type=INSTANT, help="Only those issued at or after this instant.")
@paged
@as_json
def list_(
    *,
    status: str | None,
    profile: UUID | None,
    customer: str | None,
    since: datetime | None,
    limit: int,
    before: UUID | None,
    as_json: bool,
) -> None:
    """List invoices, newest first."""
    with opened().begin() as session:
        require_account(session, customer)
        page = list_invoices(
            session, status=status, profile=profile, customer=customer, since=since, before=before, limit=limit
        )
    tell_page(page, _COLUMNS, as_json=as_json, nothing="No such invoice.")


@invoice.command("show")
@click.argument("name", metavar="NUMBER|ID")
@click.option("--explain", is_flag=True, help="Say in words how each line, the tax and the total came about.")
@click.option("--parties", is_flag=True, help="Open seller and buyer too: personal, so it needs --reason.")
@click.option("--reason", help="Why the parties are opened; kept in the audit trail.")
@click.option("--by", help="Who; kept in the audit trail.  [default: the user of this machine]")
@as_json
def show(*, name: str, explain: bool, parties: bool, reason: str | None, by: str | None, as_json: bool) -> None:
    """Show one invoice: lines, tax, tries with their evidence, postings, and what was done to it by hand."""
    if explain:
        _tell_in_words(name, parties=parties, as_json=as_json)
        return
    order = looked(by=by, reason=reason, what="Seller and buyer") if parties else None
    made = opened()
    with made.begin() as session:
        id_ = find_invoice(session, name)
        facts = show_invoice(session, id_)
        about = [id_, *(each["id"] for each in facts["payments"])]
        facts |= {"work_items": work_about(session, about), "audit_trail": trail_of(session, about)}
    if order is not None:
        facts["parties"] = looking.open_parties(made, id_, order=order)
    tell_json(facts) if as_json else tell_facts(facts)


def _tell_in_words(name: str, *, parties: bool, as_json: bool) -> None:
    """For the customer too: only what the document says."""
    if parties:
        raise click.UsageError("--explain tells nothing personal, so it goes without --parties")
    with opened().begin() as session:
        told = in_words(document_account(session, find_invoice(session, name)))
    tell_json(told) if as_json else click.echo("\n".join(told))


@invoice.command("retry")
@click.argument("name", metavar="NUMBER|ID")
@ordered
@dry_run
@as_json
def retry(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Charge an open invoice now, outside its dunning schedule.

    The schedule is neither used up nor moved. A second retry while a try is due changes nothing and says so; one while
    an attempt is open is refused (payment_in_flight).
    """
    made = opened()
    with made.begin() as session:
        id_ = find_invoice(session, name)
    done = operating.retry_invoice(made, id_, order=Order(actor=by, reason=reason, dry_run=dry_run))
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


def _correct(name: str, act: Callable[[Parts, UUID], Done], order: Order, *, as_json: bool) -> None:
    """Do it to the invoice of that name, and say what became of it."""
    made = opened()
    if not order.dry_run:
        start(made)
    with made.begin() as session:
        id_ = find_invoice(session, name)
    tell_done([act(made, id_)], dry_run=order.dry_run, as_json=as_json, nothing="")


@invoice.command("void")
@click.argument("name", metavar="NUMBER|ID")
@ordered
@dry_run
@as_json
def void(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Take an open invoice back: nothing is owed, its number stays, a cancellation document is issued.

    The provider's intent is canceled first; where money is under way it is refused (payment_in_flight).
    """
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _correct(name, lambda made, id_: operating.void(made, id_, order=order), order, as_json=as_json)


@invoice.command("mark-uncollectible")
@click.argument("name", metavar="NUMBER|ID")
@ordered
@dry_run
@as_json
def mark_uncollectible(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Write off what is still owed on an open invoice; it is not tried again.

    The provider's intent is canceled first; where money is under way it is refused (payment_in_flight).
    """
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _correct(name, lambda made, id_: operating.mark_uncollectible(made, id_, order=order), order, as_json=as_json)


@invoice.command("mark-paid")
@click.argument("name", metavar="NUMBER|ID")
@click.option(
    "--amount", type=MINOR, metavar="MINOR", help="In minor units; a part, or more.  [default: all that is owed]"
)
@click.option("--reference", default="", help="What the bank or the till calls that payment.")
@click.option("--received-at", type=INSTANT, help="When it came.  [default: now]")
@ordered
@dry_run
@as_json
def mark_paid(
    *,
    name: str,
    amount: int | None,
    reference: str,
    received_at: datetime | None,
    reason: str,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Note money that came another way, also on an invoice that was written off, paid or voided.

    After a part the rest stays open; what is beyond goes into the customer's balance. Of a paid one it first pays what
    a lost dispute has taken. Where nothing is owed, --amount and --reference are needed, and a reference is taken once.
    The provider's intent is canceled first; where money is under way it is refused (payment_in_flight).
    """
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _correct(
        name,
        lambda made, id_: operating.mark_paid(
            made, id_, amount_minor=amount, reference=reference, received_at=received_at, order=order
        ),
        order,
        as_json=as_json,
    )


@invoice.command("credit")
@click.argument("name", metavar="NUMBER|ID")
@click.option(
    "--amount", type=MINOR, metavar="MINOR", help="In minor units, tax included.  [default: all that can be credited]"
)
@ordered
@dry_run
@as_json
def credit(*, name: str, amount: int | None, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Issue a credit note: off the debt of an open invoice, or of a paid one into the customer's balance.

    At most the total, less what was credited or refunded (credit_exceeds_invoice). Each order with an amount credits it
    once more. `billing refund` sends money back instead.
    """
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _correct(
        name,
        lambda made, id_: operating.credit(made, id_, amount_minor=amount, order=order),
        order,
        as_json=as_json,
    )


@invoice.command("apply-credit")
@click.argument("name", metavar="NUMBER|ID")
@click.option("--amount", type=MINOR, metavar="MINOR", help="In minor units.  [default: as far as the balance reaches]")
@ordered
@dry_run
@as_json
def apply_credit(*, name: str, amount: int | None, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Pay an invoice that is owed, or was written off, out of the customer's balance. The rest stays owed.

    At most what the balance holds and what is owed (credit_exceeded). No document is issued: `billing invoice credit`
    takes off a debt what should not have been charged. The provider's intent is canceled first.
    """
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _correct(
        name,
        lambda made, id_: operating.apply_credit(made, id_, amount_minor=amount, order=order),
        order,
        as_json=as_json,
    )


@invoice.command("replace")
@click.argument("name", metavar="NUMBER|ID")
@ordered
@dry_run
@as_json
def replace(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Credit a document in full and issue a corrected one for the same period, as customer and rates stand now.

    Money paid is carried over without the provider. Refused where a part was credited or refunded (invoice_corrected),
    or given back by a change (invoice_changed).
    """
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _correct(name, lambda made, id_: operating.replace(made, id_, order=order), order, as_json=as_json)
