"""What a scenario came to, in the few lines that a page quotes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from billing.kernel.money import format_minor
from billing.models import Invoice
from billing.queries.operations.explaining import document_account
from billing.rules.explain import explain
from billing.sandbox.scenario.playing.player import play
from billing.sandbox.scenario.playing.told import tell
from billing.sandbox.scenario.reading import read_scenario
from tests.stages import staged

Json = dict[str, Any]


def played(text: str, database_url: str) -> tuple[Json, list[str]]:
    """The JSON of a file's scenario, played on an empty database, and its documents in words."""
    scenario = read_scenario(text, name="quoted.yaml")
    with staged(database_url, now=min(step.at for step in scenario.steps)) as stage:
        told = tell(play(scenario, stage))
        with stage.parts.begin() as session:
            ids = session.scalars(select(Invoice.id).order_by(Invoice.number)).all()
            words = [line.strip() for id_ in ids for line in explain(document_account(session, id_))]
    return told, words


def receipt(told: Json) -> str:
    """Documents with their lines and sums, then credit, late usage, skipped periods and refusals."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(told))


def _lines(told: Json) -> Iterator[str]:
    for document in told["invoices"]:
        yield from _document(document)
    for name, customer in told["customers"].items():
        for currency, amount in customer["credit_balances"].items():
            if amount:
                yield f"credit of {name}: {format_minor(amount, currency)}"
    for late in told["late_usage"]:
        yield f"late, changes nothing: {late['price']} {late['id']}"
    for skipped in told["skipped_periods"]:
        yield f"skipped: {_day(skipped['period_start'])} to {_day(skipped['period_end'])}"
    for refusal in told["refusals"]:
        yield f"refused: step {refusal['step']}, {refusal['do']}: {refusal['code']}"


def _document(document: Json) -> Iterator[str]:
    kind = document["kind"].replace("_", " ")
    owner = document["subscription"] or "a charge"
    note = ", reverse charge" if document["reverse_charge"] else ""
    yield f"{_day(document['issued_at'])} {kind} of {owner}: {document['status']}{note}"
    for line in document["lines"]:
        less = f"  less {format_minor(line['discount'], document['currency'])}" if line["discount"] else ""
        yield _row(line["kind"], f"{line['description']} × {line['quantity']}", line["amount"], document) + less
    for name in ("discount", "tax"):
        if document[name]:
            yield _row(name, "", document[name], document)
    yield _row("total", "", document["total"], document)
    if document["credit_applied"]:
        yield _row("credit used", "", document["credit_applied"], document)
        yield _row("due", "", document["amount_due"], document)


def _row(kind: str, what: str, amount: int, document: Json) -> str:
    return f"  {kind:<17}{what:<19}{format_minor(amount, document['currency']):>12}"


def _day(instant: str) -> str:
    return instant.removesuffix("T00:00:00Z")
