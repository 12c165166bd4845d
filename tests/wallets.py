"""A company whose customer pays by wallet at PayPal, and may have a card at Stripe: both mounted in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from billing.commands.slice.cut import cut
from billing.flows import audit
from billing.flows.charging import charge_once
from billing.flows.payment_methods import adopt
from billing.kernel.ids import new_id
from billing.models import Invoice, Payment
from billing.providers.paypal.sent import told
from billing.sandbox.scenario.playing.cast import put_on
from billing.sandbox.scenario.playing.stage import Stage
from billing.sandbox.scenario.reading import read_scenario
from billing.validators.payment_method import Consent
from tests.stages import staged

START = datetime(2026, 1, 15, tzinfo=UTC)
SCENARIO = """
scenario: 1
seller: {country: DE, currency: eur}
prices: {basic: {product: Basic, amount: 1000, interval: month}}
customers: {anna: {payment_method: null}}
timeline: []
until: 2026-02-01
"""


@contextmanager
def paypal_stage(database_url: str) -> Iterator[Stage]:
    """Both providers, at `START`. In the end PayPal was told nothing that is not on the list, and the books hold."""
    with staged(database_url, now=START) as made:
        made.account("paypal")
        yield made
        assert list(told(made.sides["paypal"].witness.requests())) == []
        assert audit.run(made.parts, witness=made.witness).violations == ()


def anna_of(stage: Stage) -> UUID:
    """Put the company on, and its one customer, who has no method yet."""
    return put_on(stage, read_scenario(SCENARIO, name="paypal.yaml")).profiles["anna"]


def give(stage: Stage, profile_id: UUID, ref: str, *, provider: str = "paypal") -> None:
    adopt(
        stage.parts,
        profile_id=profile_id,
        provider_account_id=stage.account(provider),
        method_ref=ref,
        consent=Consent(text_version="test", given_at=START - timedelta(days=1), channel="import"),
        method_id=new_id(),
        as_default=True,
    )


def bill(stage: Stage, profile_id: UUID, amount_minor: int = 1000, *, currency: str = "eur") -> UUID:
    with stage.parts.begin() as session:
        issued = charge_once(
            stage.parts,
            session,
            profile_id,
            amount_minor=amount_minor,
            currency=currency,
            description="A thing",
            tax_rate=None,
        )
    stage.settle()
    return issued.id


def attempts(stage: Stage, invoice_id: UUID) -> list[Payment]:
    with stage.parts.begin() as session:
        return list(session.scalars(select(Payment).filter_by(invoice_id=invoice_id).order_by(Payment.attempt_no)))


def status_of(stage: Stage, invoice_id: UUID) -> str:
    with stage.parts.begin() as session:
        return session.get_one(Invoice, invoice_id).status


def moved(stage: Stage, provider: str = "paypal") -> list[int]:
    return [each.amount_minor for each in stage.sides[provider].witness.charges() if each.status == "succeeded"]


def only_invoice(stage: Stage) -> UUID:
    with stage.parts.begin() as session:
        return session.scalars(select(Invoice.id).where(Invoice.kind == "invoice")).one()


def sweep(stage: Stage, invoice_id: UUID) -> None:
    """As the tick would: what is due of the invoice is tried."""
    with stage.parts.begin() as session:
        cut(session, kind="charges", members=[invoice_id], size=1)
    stage.settle()
