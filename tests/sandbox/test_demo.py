from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from zoneinfo import available_timezones

import pytest
import requests
from sqlalchemy import text

from billing.db.base import Base
from billing.queries.audit_runs import gauge
from billing.queue.messages import waiting_texts
from billing.sandbox.clock import stand_ins
from billing.sandbox.demo.cast import read_company
from billing.sandbox.demo.proof import Proof, prove
from billing.sandbox.stack import Stack
from tests.browser.night import a_night
from tests.sandbox.billing_command import Said, billing

SECRETS = ("STRIPE_API_KEY", "BILLING_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "PAYPAL_CLIENT_SECRET")
TOLD = "The providers were told nothing but what is on their lists."
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("stack")]


@dataclass(frozen=True)
class Played:
    """What the demo said, and what was found right after it, before any test plants a fault."""

    said: Said
    stack: Stack
    wrong: list[str]
    faults: list[dict[str, Any]]


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """A small demo, faults and accident included, that leaves its stack running."""
    stack = Stack(f"test-{secrets.token_hex(4)}")
    try:
        said = billing(stack.place.name, "demo", "--customers", "20", "--months", "1", "--keep")
        assert said.status == 0, said.out + said.err
        yield Played(
            said, stack, prove(stack).wrong, [fault for each in stand_ins(stack.parts) for fault in each.faults()]
        )
    finally:
        stack.remove()


def broken(found: Proof) -> set[str]:
    """The sentences that do not hold, invariants by their code."""
    return {each.holds.partition(":")[0] for each in (*found.invariants, *found.comparison) if each.against}


def test_a_small_demo_ends_well_and_says_so(played: Played) -> None:
    assert "Nobody was charged twice, and nothing was missed." in played.said.out
    assert "killed (SIGKILL)" in played.said.out
    assert "another code: " in played.said.out
    assert played.wrong == []
    with played.stack.parts.begin() as session:
        kept = gauge(session)
    assert kept is not None
    assert kept["rows_seen"] > 1000
    assert not any(kept["by_code"].values())
    assert played.faults == [], "what is left to be looked at has no faults any more"


def _strings(value: Any) -> Iterator[str]:
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from _strings(getattr(value, each.name))
    elif isinstance(value, str):
        yield value


def _personal_values() -> set[str]:
    """Names, addresses and the rest of the demo's customers. What is short, or digits alone, proves nothing."""
    people = [customer.value.profile.personal for customer in read_company(customers=20).customers]
    found = {value.casefold() for person in people for value in _strings(person)}
    found = {value for value in found if len(value) >= 5 and not value.isdigit()}
    # A city that a time zone is named after stands where no customer is told of.
    return {value for value in found if not any(value in zone.casefold() for zone in available_timezones())}


def _everything_written(played: Played) -> dict[str, str]:
    """Standard output and error, logs, the provider's store, messages, and every row, as text."""
    stack = played.stack
    found = {"output": played.said.out + played.said.err}
    for path in stack.place.folder.iterdir():
        if path.is_file() and path != stack.place.environment:
            found[path.name] = path.read_bytes().decode(errors="replace")
    found["broker"] = "\n".join(text for _, text in waiting_texts(stack.environment["BROKER_URL"]))
    with stack.parts.begin() as session:
        for name in Base.metadata.tables:
            found[name] = "\n".join(session.scalars(text(f"SELECT t::text FROM {name} t")))
    return {place: written.casefold() for place, written in found.items()}


def test_nothing_that_the_demo_wrote_holds_a_secret_or_a_personal_value(played: Played) -> None:
    written = _everything_written(played)
    personal = _personal_values()
    secret = {played.stack.environment[name].casefold() for name in SECRETS}
    assert len(personal) > 60
    assert sum(map(len, written.values())) > 500_000
    assert {(place, value) for place, told in written.items() for value in personal if value in told} == set()
    planted = played.stack.place.folder / "planted.log"
    planted.write_text(f"paid by {min(personal).title()}")
    seen = {place for place, told in _everything_written(played).items() if any(value in told for value in personal)}
    planted.unlink()
    assert seen == {planted.name}
    # The provider's own store has the secrets that it gave out.
    ours = {place: told for place, told in written.items() if not place.startswith(("stripe.sqlite", "paypal.sqlite"))}
    assert {place for place, told in ours.items() for value in secret if value in told} == set()


def test_a_kept_stack_can_be_looked_at(played: Played) -> None:
    name = played.stack.place.name
    listed = billing(name, "invoice", "list", "--limit", "1")
    assert (listed.status, "NORD-" in listed.out) == (0, True), listed.err
    assert billing(name, "demo", "--months", "1").status == 3, "nobody plays on a stack that is kept"


def test_an_operator_with_a_telephone_finds_everything_in_the_console(played: Played, chromium: Any) -> None:
    parts = played.stack.parts
    complaints = a_night(chromium, parts, f"{parts.settings.billing_public_url}/console/")
    assert complaints == []


def test_a_second_charge_at_the_provider_fails_the_proof(played: Played) -> None:
    stack = played.stack
    with stack.parts.begin() as session:
        invoice, customer, method, currency = session.execute(
            text(
                "SELECT invoice_id::text, customer_ref, method_ref, currency FROM billing.payment"
                " WHERE status = 'succeeded' AND method_ref LIKE 'pm_%' ORDER BY id LIMIT 1"
            )
        ).one()
    charged = requests.post(
        f"{stack.environment['STRIPE_API_BASE']}/v1/payment_intents",
        data={
            "amount": "5000",
            "currency": currency,
            "customer": customer,
            "payment_method": method,
            "confirm": "true",
            "off_session": "true",
            "metadata[invoice_id]": invoice,
        },
        auth=(stack.environment["STRIPE_API_KEY"], ""),
        timeout=10,
    )
    assert charged.status_code == 200, charged.text
    assert broken(prove(stack)) >= {"P1", "No invoice was charged twice."}


def test_an_invoice_that_is_gone_fails_the_proof(played: Played) -> None:
    stack = played.stack
    with stack.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "DELETE FROM billing.invoice WHERE id = (SELECT id FROM billing.invoice WHERE status = 'paid'"
                " ORDER BY series_no DESC LIMIT 1)"
            )
        )
    found = broken(prove(stack))
    assert found >= {"N1", "Each charge belongs to exactly one invoice."}


def test_a_period_that_was_not_billed_fails_the_proof(played: Played) -> None:
    stack = played.stack
    with stack.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("DELETE FROM billing.billing_period WHERE id = (SELECT id FROM billing.billing_period LIMIT 1)")
        )
    assert "Every period that has begun is billed, and no other." in broken(prove(stack))


def test_a_name_told_to_the_provider_fails_the_proof(played: Played) -> None:
    stack = played.stack
    requests.post(
        f"{stack.environment['STRIPE_API_BASE']}/v1/customers",
        data={"name": "A Person"},
        auth=(stack.environment["STRIPE_API_KEY"], ""),
        timeout=10,
    ).raise_for_status()
    assert TOLD in broken(prove(stack))
