"""`billing seller`: what a seller is called on documents, and its settings, by the names of an import file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import click

from billing.flows import sellers
from billing.flows.intake_input import LineFault
from billing.flows.order import Order
from billing.kernel.errors import Fault, Refused
from billing.models import Seller
from billing.ops.group import group
from billing.ops.import_file import seller_of
from billing.ops.import_rows import Cell, Row
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered
from billing.ops.telling import tell_done, tell_facts, tell_json
from billing.queries.intake import seller_as_given
from billing.queries.operations.finding import find_seller
from billing.validators.address import Address
from billing.validators.seller import NewSeller, SellerChange, SellerPolicy

_FIXED = ("code", "country", "currency", "timezone", "next_number")
_ENTITY = ("legal_name", "tax_id", "payment_instructions", "document_footer", "number_prefix", "credit_note_prefix")
_ADDRESS = {f"address.{each.name}": each.name for each in fields(Address)}
_DUNNING = {
    "dunning_retries": "retries",
    "dunning_final": "final",
    "dunning_hours": "hours",
    "card_limit": "card_limit",
}
_POLICY = {
    f"dunning.{_DUNNING[each.name]}" if each.name in _DUNNING else each.name: each.name for each in fields(SellerPolicy)
}
_RETRIES = "dunning.retries"


@group("seller")
def seller() -> None:
    """Sellers: show, change what they are called on documents, and their settings."""


@seller.command("show")
@click.argument("name", metavar="CODE|ID")
@as_json
def show(*, name: str, as_json: bool) -> None:
    """Show a seller's settings, by the names that `change` takes."""
    with opened().begin() as session:
        facts = _facts(seller_as_given(session.get_one(Seller, find_seller(session, name))))
    if as_json:
        tell_json(facts)
    else:
        tell_facts(facts)


@seller.command("change")
@click.argument("name", metavar="CODE|ID")
@click.option("--set", "pairs", multiple=True, required=True, metavar="NAME=VALUE", help="Repeat it for each one.")
@ordered
@dry_run
@as_json
def change(*, name: str, pairs: tuple[str, ...], reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Change what is named, for what comes from now on; nothing after the = is as for a new seller.

    Names are those of an import file, such as tax_id, address.city, dunning.retries (3d,5d,7d), mail_documents. Issued
    documents keep what they said. Code, country, currency and zone stay: another entity is another seller.
    """
    wanted = _wanted(pairs)
    parts = opened()
    with parts.begin() as session:
        seller_id = find_seller(session, name)
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = sellers.change(parts, seller_id, wanted=wanted, order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


def _wanted(pairs: Sequence[str]) -> Callable[[NewSeller], SellerChange]:
    """What is named, in the place of what there is. Raises `Refused` with every fault, by name."""
    said = dict(_said(pairs))
    faults: list[LineFault] = []
    row = Row(1, dict(_cells(said)), faults)
    new = seller_of(row)
    # Of what has names of its own there is nothing to set as a whole.
    row.used -= {"address", "dunning"}
    row.refuse_unused()
    found = [Fault(each.field, each.code, each.mend) for each in faults if each.field not in _FIXED]
    found += [
        Fault(each, "seller_fixed", "it stays; another entity is another seller") for each in _FIXED if each in said
    ]
    if found:
        raise Refused(found)

    def change(before: NewSeller) -> SellerChange:
        entity = {each: getattr(new if each in said else before, each) for each in _ENTITY}
        address = {field: getattr(new.address, field) for each, field in _ADDRESS.items() if each in said}
        policy = {field: getattr(new.policy, field) for each, field in _POLICY.items() if each in said}
        return SellerChange(
            timezone=before.timezone,
            address=replace(before.address, **address),
            policy=replace(before.policy, **policy),
            **entity,
        )

    return change


def _said(pairs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        name, given, value = pair.partition("=")
        if not given:
            raise click.UsageError(f"{pair!r} is no NAME=VALUE.")
        yield name.strip(), value.strip()


def _cells(said: dict[str, str]) -> Iterator[tuple[str, Cell]]:
    yield "code", Cell("X", 1)
    for name, value in said.items():
        if name == _RETRIES and value:
            yield from ((f"{name}.{no}", Cell(each.strip(), 1)) for no, each in enumerate(value.split(","), start=1))
        elif name not in _FIXED and name != _RETRIES:
            yield name, Cell(value, 1)


def _facts(known: NewSeller) -> dict[str, Any]:
    address = {name: getattr(known.address, field) for name, field in _ADDRESS.items()}
    policy = {name: _written(getattr(known.policy, field)) for name, field in _POLICY.items()}
    own = {name: getattr(known, name) for name in ("code", "country", "currency", "timezone", *_ENTITY)}
    return own | address | policy | {"dunning.hours": _hours(known.policy.dunning_hours)}


def _written(value: Any) -> Any:
    """As an option takes it."""
    if isinstance(value, tuple) and value and isinstance(value[0], timedelta):
        return ",".join(f"{each // timedelta(hours=1)}h" for each in value)
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _hours(hours: tuple[int, int] | None) -> str:
    return "any" if hours is None else f"{hours[0]}-{hours[1]}"
