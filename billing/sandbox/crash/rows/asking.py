"""Rows 86 to 88: killed around what others ask of us by the API, what a network takes, and what a register answers."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from uuid import UUID

import requests
from sqlalchemy import text

from billing.commands.profile.create import create_profile
from billing.flows import api_keys
from billing.flows.order import Order
from billing.kernel.ids import new_id
from billing.sandbox.crash import network
from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.kills import killed
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import START, Customer, World
from billing.sandbox.earpiece import Earpiece, earpiece
from billing.validators.address import Address
from billing.validators.api_key import Scope
from billing.validators.profile import NewProfile, Personal

_PAIR = World(customers=(Customer("a1"), Customer("a2")))
_TIMEOUT_S = 20.0
_OK = 200
_GRANTED_MINOR = 500
_GRANTS = "SELECT count(*) FROM billing.ledger_entry WHERE kind = 'credit_grant'"
_LEASE_S = "15"
"""How long a network may take, and the limit of a task: what prints a document must end within it."""


def _host_asks_again(stage: Stage) -> None:
    """SIGKILL to the process that keeps an answer: the host asks again under its key, and credit was given once."""
    stage.receiver(faults="once.keep=kill")
    stage.worker()
    stage.play(lambda: stage.quiet)
    (seller_id,), profile_id = stage.ids("SELECT id FROM billing.seller"), _customer(stage)
    order = Order(actor="crash", reason="the host application asks")
    key = api_keys.create(stage.parts, seller_id=seller_id, name="host", scopes=tuple(Scope), order=order)
    with suppress(requests.ConnectionError):
        _grant(stage, key.token, profile_id)
    killed(stage, "once.keep", process="receiver")
    stage.expect(stage.count(_GRANTS) == 0, "credit was given, and its answer was not kept")
    stage.revive()
    first, second = (_grant(stage, key.token, profile_id) for _ in range(2))
    stage.expect(first.status_code == _OK, f"asked again, it is answered {first.status_code}")
    stage.expect(second.text == first.text, "asked a third time, it is answered otherwise")
    stage.expect(stage.count(_GRANTS) == 1, f"credit was given {stage.count(_GRANTS)} times")


def _customer(stage: Stage) -> UUID:
    return stage.ids("SELECT id FROM billing.profile ORDER BY id LIMIT 1")[0]


def _grant(stage: Stage, token: str, profile_id: UUID) -> requests.Response:
    with requests.Session() as host:
        host.trust_env = False
        return host.post(
            f"{stage.receiver_url}/api/v1/profiles/{profile_id}/credit",
            json={"amount_minor": _GRANTED_MINOR, "currency": "eur", "reason": "for waiting"},
            headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "credit-1"},
            timeout=_TIMEOUT_S,
        )


def _sender_dies(point: str) -> Story:
    """SIGKILL to the worker around the handing over of a structured invoice: again, under the same id."""

    def story(stage: Stage) -> None:
        book = stage.living_folder / "network"
        stage.everywhere = {
            network.BOOK: str(book),
            "BILLING_E_INVOICE_TRANSPORTS": f"DE:{network.__name__}:{network.take.__name__}",
            "BILLING_TASK_LIMIT_S": _LEASE_S,
        }
        stage.receiver()
        stage.worker(faults=f"{point}=kill")
        stage.play(lambda: stage.quiet)
        with stage.parts.begin() as session:
            session.execute(_WANTED, {"id": new_id()})
        stage.wait(lambda: stage.fired(point) is not None, "it to be handed over")
        stage.hurt()
        stage.wait(lambda: stage.count(_SENT) == 1, "the invoice to be sent")
        taken = book.read_text().split()
        wanted = 2 if point == "e_invoice.answered" else 1
        stage.expect(len(taken) == wanted, f"it was handed over {len(taken)} times, not {wanted}")
        stage.expect(len(set(taken)) == 1, "it was handed over under two ids")

    return story


_WANTED = text(
    """
    INSERT INTO billing.e_invoice (id, seller_id, invoice_id, country, law, status, tries, token, next_try_at)
    SELECT :id, seller_id, id, 'DE', 'played', 'waiting', 0, 0, clock_timestamp()
    FROM billing.invoice ORDER BY number LIMIT 1
    """
)
_SENT = "SELECT count(*) FROM billing.e_invoice WHERE status = 'sent' AND left(reference, 2) = 'N-'"


def _asker_dies(stage: Stage) -> None:
    """SIGKILL to the worker with a register's answer in hand: it is asked again, and that answer is kept."""
    until_the_end = ExitStack()
    stage.at_end(until_the_end.close)
    said = {"valid": True, "requestIdentifier": "WAPIAAAAX", "requestDate": "2026-01-31T00:00:00Z"}
    register = until_the_end.enter_context(earpiece(Earpiece(status=_OK, body=json.dumps(said).encode())))
    stage.everywhere = {"BILLING_VAT_REGISTER": "vies", "VIES_URL": f"http://127.0.0.1:{register.port}"}
    (seller_id,) = stage.ids("SELECT id FROM billing.seller")
    with stage.parts.begin() as session:
        create_profile(session, stage.parts.keyring, seller_id=seller_id, new=_BUSINESS, now=START)
    stage.receiver()
    stage.worker(faults="tax_id.answered=kill")
    stage.wait(lambda: stage.fired("tax_id.answered") is not None, "the register to be asked")
    stage.hurt()
    stage.wait(lambda: stage.count(_CONFIRMED) == 1, "the answer to be kept")
    stage.expect(len(register.heard) == 2, f"the register was asked {len(register.heard)} times, not 2")
    stage.play()


_BUSINESS = NewProfile(
    account_id="b1",
    country="AT",
    buyer_kind="business",
    personal=Personal(
        name="Alpen GmbH", address=Address("Ring 1", city="Wien", postal_code="1010"), tax_id="ATU12345675"
    ),
)
_CONFIRMED = "SELECT count(*) FROM billing.profile WHERE tax_id_check ->> 'register' IS NOT NULL"


ROWS = (
    Row(
        "86",
        "killed while an answer of the API is kept",
        lambda _: [Case("86", "receiver once.keep@1", _host_asks_again, world=_PAIR)],
    ),
    Row(
        "87",
        "killed around the handing over of a structured invoice",
        lambda _: [
            Case("87", f"child {point}@1", _sender_dies(point), world=_PAIR)
            for point in ("e_invoice.taken", "e_invoice.answered")
        ],
    ),
    Row(
        "88",
        "killed with a register's answer in hand",
        lambda _: [Case("88", "child tax_id.answered@1", _asker_dies, world=_PAIR)],
    ),
)
