"""`billing profile`: customers, without what is personal; their credit, and what is charged once."""

from __future__ import annotations

from pathlib import Path

import click

from billing.flows import links, rights
from billing.flows import operating_profiles as operating
from billing.flows.order import Order
from billing.flows.paying_out import order_payout
from billing.ops.files import write
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import MINOR, as_json, dry_run, looked, ordered
from billing.ops.telling import as_text, tell_done, tell_facts, tell_json
from billing.queries.operations.customers import show_profile
from billing.queries.operations.finding import find_profile
from billing.queries.operations.trail import trail_of, work_about


@group("profile")
def profile() -> None:
    """Customers: show, give credit, write off cents, charge once, link to their page, export, erase."""


@profile.command("show")
@click.argument("name", metavar="ID|ACCOUNT")
@as_json
def show(*, name: str, as_json: bool) -> None:
    """Show one customer: methods, subscriptions, what is owed, the newest invoices. Nothing personal is opened."""
    with opened().begin() as session:
        id_ = find_profile(session, name)
        facts = show_profile(session, id_)
        about = [id_, *(row["id"] for row in facts["subscriptions"]), *(row["id"] for row in facts["invoices"])]
        facts |= {"work_items": work_about(session, about), "audit_trail": trail_of(session, about)}
    tell_json(facts) if as_json else tell_facts(facts)


_amount = click.option(
    "--amount", type=MINOR, required=True, metavar="MINOR", help="In minor units: 1234 is 12.34 EUR."
)
_currency = click.option("--currency", required=True, help="A lower-case ISO 4217 code, such as eur.")


@profile.command("credit")
@click.argument("name", metavar="ID|ACCOUNT")
@_amount
@_currency
@click.option("--prepaid", is_flag=True, help="They have paid it, by transfer or in cash, for no invoice.")
@ordered
@dry_run
@as_json
def credit(
    *, name: str, amount: int, currency: str, prepaid: bool, reason: str, by: str, dry_run: bool, as_json: bool
) -> None:
    """Give a customer credit, which the next invoices in that currency use up. Each order gives it once more."""
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = operating.grant(made, id_, amount_minor=amount, currency=currency, prepaid=prepaid, order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


@profile.command("pay-out")
@click.argument("name", metavar="ID|ACCOUNT")
@click.option("--amount", type=MINOR, metavar="MINOR", help="In minor units.  [default: all of the balance]")
@_currency
@ordered
@dry_run
@as_json
def pay_out(
    *, name: str, amount: int | None, currency: str, reason: str, by: str, dry_run: bool, as_json: bool
) -> None:
    """Send credit back to charges that the customer paid, newest first.

    At most the balance (credit_exceeded), and what those charges still hold (refund_exceeds_paid).
    """
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = order_payout(made, id_, currency=currency, amount_minor=amount, order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


@profile.command("write-off")
@click.argument("name", metavar="ID|ACCOUNT")
@ordered
@dry_run
@as_json
def write_off(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Give up what was too little to be charged and is carried forward: no invoice of theirs is going to ask for it."""
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
    done = operating.write_off(made, id_, order=Order(actor=by, reason=reason, dry_run=dry_run))
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


@profile.command("charge")
@click.argument("name", metavar="ID|ACCOUNT")
@_amount
@_currency
@click.option("--description", required=True, help="What it is for, as the invoice says it.")
@click.option("--tax-rate", default="standard", show_default=True, help="The seller's tax rate that it bears.")
@click.option("--no-tax", is_flag=True, help="It bears no tax.")
@ordered
@dry_run
@as_json
def charge(
    *,
    name: str,
    amount: int,
    currency: str,
    description: str,
    tax_rate: str,
    no_tax: bool,
    reason: str,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Invoice a customer for one thing, at once; it is collected like any other. Each order invoices once more.

    The amount is net, or gross where the tax rate is inclusive.
    """
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
    done = operating.charge(
        made,
        id_,
        amount_minor=amount,
        currency=currency,
        description=description,
        tax_rate=None if no_tax else tax_rate,
        order=Order(actor=by, reason=reason, dry_run=dry_run),
    )
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


@profile.command("link")
@click.argument("name", metavar="ID|ACCOUNT")
@as_json
def link(*, name: str, as_json: bool) -> None:
    """Make a link to the customer's page: all that is open, and the payment method.

    Whoever has it can open the page until it expires: send it to the customer alone. Each call makes another.
    """
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
        address = links.profile_link(made, session, id_)
    tell_json({"profile_id": id_, "link": address}) if as_json else click.echo(address)


@profile.command("export")
@click.argument("name", metavar="ID|ACCOUNT")
@click.option("--out", type=click.Path(path_type=Path), help="A file.  [default: standard output]")
@click.option("--reason", help="Why; kept in the audit trail.")
@click.option("--by", help="Who; kept in the audit trail.  [default: the user of this machine]")
def export(*, name: str, out: Path | None, reason: str | None, by: str | None) -> None:
    """Write all that is kept about a customer as JSON, opened: their right to a copy. It needs --reason."""
    order = looked(by=by, reason=reason, what="All of it")
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
    written = as_text(rights.export(made, id_, order=order))
    if out is None:
        click.echo(written)
    else:
        write(out, f"{written}\n".encode())


@profile.command("erase")
@click.argument("name", metavar="ID|ACCOUNT")
@ordered
@dry_run
@as_json
def erase(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Forget a customer for good: their key is deleted, cards are removed, issued documents stay.

    Refused while a subscription runs (subscription_open), or money is open either way (money_outstanding, credit_left,
    payment_in_flight, refund_in_flight, money_kept_apart).
    """
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
    done = rights.erase(made, id_, order=Order(actor=by, reason=reason, dry_run=dry_run))
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


@profile.command("revoke-links")
@click.argument("name", metavar="ID|ACCOUNT")
@ordered
@dry_run
@as_json
def revoke_links(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Make every link to this customer's page worthless, those of single invoices too."""
    made = opened()
    with made.begin() as session:
        id_ = find_profile(session, name)
    done = links.revoke_links(made, id_, order=Order(actor=by, reason=reason, dry_run=dry_run))
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")
