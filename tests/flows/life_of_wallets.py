"""PayPal in a life: its stand-in beside Stripe's in this process, and what chance does there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import SecretStr
from sqlalchemy import select
from werkzeug.test import Client

from billing.flows.start import pin
from billing.models import Dispute, ProviderAccount
from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.signature import Certificates
from billing.providers.witnesses import Witnesses
from billing.sandbox.paypal import events
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.paypal.signing import chain, root
from billing.sandbox.scenario.playing.sides import Side
from billing.sandbox.scenario.playing.wallet import paypal_side
from billing.sandbox.stripe.standin import Call
from billing.webhooks.app import create_app
from tests.flows.company import Company
from tests.flows.life import WALLETS, Act, Life

FAULTS = ("error_500_before", "error_500_after", "timeout_after", "timeout_before")
DELIVERIES = ("webhook_duplicate", "webhook_reorder", "webhook_drop")


def mount_paypal(acme: Company) -> Side:
    """PayPal as the company's second provider, with its webhooks carried to the real receiver."""
    side = paypal_side()
    side.stand_in.clock.set(acme.now())
    assert isinstance(side.provider, PayPalProvider)
    side.provider._certificates = Certificates(
        fetch=lambda _: chain(side.stand_in).encode(),
        roots=root(side.stand_in).encode(),
        livemode=False,
        own_origin="http://stand-in",
    )
    told = {"paypal_client_id": "sb-simulate", "paypal_client_secret": SecretStr("simulate")}
    ours, stripe = acme.parts.settings.model_copy(update=told), acme.parts.provider_for
    # A copy keeps what was read off the settings before: without this nothing is ever compared with PayPal.
    ours.__dict__.pop("paypal_credentials", None)
    acme.parts = replace(
        acme.parts,
        settings=ours,
        provider_for=lambda name, code: side.provider if name == "paypal" else stripe(name, code),
    )
    pin(acme.parts, provider="paypal", code="default", livemode=False)
    with acme.begin() as session:
        account = session.scalars(select(ProviderAccount).filter_by(provider="paypal")).one()
    side.account_id = account.id
    with side.stand_in.store.transaction() as tx:
        asked = {"url": "http://receiver", "event_types": [{"name": "*"}]}
        events.create_webhook(Call(side.stand_in, tx, account.account_ref, side.stand_in.clock.now(), params=asked))
        (webhook,) = tx.walk(events.WEBHOOK)
    acme.parts = replace(acme.parts, settings=ours.model_copy(update={"paypal_webhook_id": webhook.id}))
    door = Client(create_app(acme.parts))
    side.stand_in.deliver = lambda _, body, headers: (
        door.post("/webhooks/paypal", data=body, headers=headers).status_code
    )
    return side


def witness_of(life: Life) -> Witnesses:
    """The books of both stand-ins."""
    return Witnesses(lambda: [life.acme.witness, life.paypal.witness])


def give_wallet(life: Life) -> None:
    """A customer agrees to be charged through PayPal."""
    life.give_wallet(life.chance.choice(life.profiles), life.chance.choice(WALLETS))


def claim(life: Life) -> None:
    """A buyer asks at PayPal for their money, or PayPal decides, which it may turn round."""
    chance, stand_in = life.chance, life.paypal.stand_in
    with life.acme.begin() as session:
        query = select(Dispute.dispute_ref).filter_by(provider_account_id=life.paypal.account_id)
        known = list(session.scalars(query.order_by(Dispute.id)))
    if known and chance.random() < 0.6:
        DOORS["POST", "disputes/<id>/close"](stand_in, chance.choice(known), {"status": chance.choice(["won", "lost"])})
        return
    charges = [each for each in life.paypal.witness.charges() if each.status == "succeeded"]
    if charges:
        charge = chance.choice(charges)
        wish: dict[str, object] = {"charge": charge.charge_ref, "inquiry": chance.random() < 0.5}
        if chance.random() < 0.4:
            wish["amount"] = max(1, charge.amount_minor // 2)
        DOORS["POST", "disputes"](stand_in, "", wish)


def settle_paypal_refund(life: Life) -> None:
    """The bank behind PayPal tells of a refund."""
    going = [each for each in life.paypal.witness.refunds() if each.status == "pending"]
    if going:
        told = {"status": life.chance.choice(["succeeded", "failed"])}
        DOORS["POST", "refunds/<id>"](life.paypal.stand_in, life.chance.choice(going).refund_ref, told)


def paypal_trouble(life: Life) -> None:
    """The next requests or deliveries meet a fault."""
    kind = life.chance.choice([*FAULTS, *DELIVERIES])
    path = {} if kind in DELIVERIES else {"path": life.chance.choice(["/v2/checkout", "/v2/payments", "/v"])}
    life.paypal.stand_in.faults.add([{"kind": kind, "next": life.chance.randint(1, 3), **path}])


ACTS: Mapping[Act, int] = {give_wallet: 3, claim: 2, settle_paypal_refund: 1, paypal_trouble: 1}
