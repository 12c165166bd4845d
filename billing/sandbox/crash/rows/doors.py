"""Rows 64 to 69, 71: events that never come, or come wrong; a handler that fails; business time that goes back."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from billing.flows.order import Order
from billing.flows.working import Action, act_on_all
from billing.queries.operations.work import WorkFilter
from billing.sandbox.crash.case import Case, Row
from billing.sandbox.crash.kills import DROP_ALL
from billing.sandbox.crash.rows.people import pay_past_us
from billing.sandbox.crash.stage import Json, NotReached, Stage
from billing.sandbox.crash.world import DECLINES_ONCE, NO_FUNDS, START, Customer, World
from billing.sandbox.probes import HOST

_PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_RETRIED = World(
    customers=(Customer("a1", card=DECLINES_ONCE), Customer("a2")), moments=(START, datetime(2026, 2, 4, tzinfo=UTC))
)
_TWO_MONTHS = World(customers=_PAIR.customers, moments=(START, datetime(2026, 3, 1, tzinfo=UTC)), months=2)
_FOUR_DAYS = World(
    customers=(Customer("a1", card=NO_FUNDS), Customer("a2")), moments=(START, START + timedelta(days=4))
)
_BEGUN = "SELECT count(*) FROM billing.provider_account WHERE events_read_to IS NOT NULL"
_OK, _FIRST_REFUSAL, _FIRST_FAULT = 200, 400, 500
_HUGE = 50_000_000
_SLOW_S = 3.0
_MOST_GROWN_KB = 60_000
_TIMEOUT_S = 20.0


def _never_told(stage: Stage) -> None:
    """The provider makes no event at all: what became of each charge is learnt by asking."""
    stage.witness.add_faults({"kind": "event_lost", "rate": 1})
    stage.receiver()
    stage.worker()
    stage.play()
    stage.hurt()
    told = stage.count("SELECT count(*) FROM billing.provider_event WHERE starts_with(type, 'payment_intent.')")
    stage.expect(told == 0, f"{told} events came that were not to come")


def _four_days_without(stage: Stage) -> None:
    """No delivery arrives for four days, and somebody pays in the dashboard meanwhile: the list of events tells."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    stage.living.pop("receiver").kill_group()
    stage.witness.add_faults(DROP_ALL)
    stage.wait(lambda: stage.count(_BEGUN) > 0, "the reading of the list to begin")
    pay_past_us(stage)
    stage.hurt()
    stage.skip()
    stage.wait(lambda: stage.quiet and not _missing(stage), "the list of events to be read")
    unsigned = stage.count("SELECT count(*) FROM billing.provider_event WHERE secret_index IS NULL")
    stage.expect(unsigned > 0, "no event was read from the list")
    stage.witness.clear_faults()
    stage.receiver()


def _missing(stage: Stage) -> set[str]:
    """Events with a handler that the provider lists and we don't have."""
    with stage.parts.begin() as session:
        kept = set(session.connection().exec_driver_sql("SELECT event_ref FROM billing.provider_event").scalars())
    return {each["id"] for each in stage.events()} - kept


def _signed(stage: Stage, body: bytes, *, at: int | None = None, secret: str | None = None) -> dict[str, str]:
    secret = secret or stage.parts.settings.webhook_secrets("default")[0]
    moment = int(time.time()) if at is None else at
    signature = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "Stripe-Signature": f"t={moment},v1={signature}"}


def _post(stage: Stage, body: bytes, headers: dict[str, str]) -> int:
    with requests.Session() as session:
        session.trust_env = False
        url = f"{stage.receiver_url}/webhooks/stripe"
        return session.post(url, data=body, headers=headers, timeout=_TIMEOUT_S).status_code


def _an_event(stage: Stage) -> Json:
    """One that the provider delivers to nobody. Those from before it may still bring, at a later try."""
    stage.witness.add_faults(DROP_ALL)
    before = {each["id"] for each in stage.events()}

    def made() -> list[Json]:
        return [each for each in stage.events() if each["id"] not in before]

    stage.receiver()
    stage.worker()
    if not stage.play(lambda: bool(made())):
        raise NotReached("an event")
    return made()[0]


def _forged(stage: Stage) -> None:
    """Signatures of others, of long ago, of the future, of another body; a live event at a test account."""
    event = _an_event(stage)
    body, now = json.dumps(event).encode(), int(time.time())
    live = body.replace(b'"livemode": false', b'"livemode": true')
    wrong = {
        "another secret": (body, _signed(stage, body, secret="whsec_" + secrets.token_hex(16))),
        "an hour old": (body, _signed(stage, body, at=now - 3600)),
        "an hour ahead": (body, _signed(stage, body, at=now + 3600)),
        "another body": (body + b" ", _signed(stage, body)),
        "no signature": (body, {"Content-Type": "application/json"}),
        "a live event": (live, _signed(stage, live)),
    }
    for name, (sent, headers) in wrong.items():
        status = _post(stage, sent, headers)
        stage.expect(_FIRST_REFUSAL <= status < _FIRST_FAULT, f"{name}: answered {status}")
        stage.hurt()
    # It may have come meanwhile by the provider's list, which no signature belongs to.
    kept = stage.count(
        f"SELECT count(*) FROM billing.provider_event WHERE secret_index IS NOT NULL AND event_ref = '{event['id']}'"  # noqa: S608
    )
    stage.expect(kept == 0, f"{kept} forged events were kept")


def _rotated(stage: Stage) -> None:
    """While the secret is changed, deliveries under the old and under the new one are both taken."""
    body = json.dumps(_an_event(stage)).encode()
    old, new = stage.parts.settings.webhook_secrets("default")[0], "whsec_" + secrets.token_hex(16)
    stage.living["receiver"].kill_group()
    stage.receiver(env={"STRIPE_WEBHOOK_SECRET": f"{new},{old}"})
    for secret in (old, new):
        status = _post(stage, body, _signed(stage, body, secret=secret))
        stage.expect(status == _OK, f"answered {status} while the secret is changed")
    stage.hurt()


def _monstrous(stage: Stage) -> None:
    """Fifty megabytes, bytes that are no text, a hundred signatures and ten thousand: refused, and soon. A body that
    stops on its way keeps nobody else out.
    """
    body = json.dumps(_an_event(stage)).encode()
    before = _resident_kb(stage)
    headers = _signed(stage, body)
    for name, sent, given in (
        ("50 MB", b"x" * _HUGE, headers),
        ("invalid UTF-8", b"\xff\xfe\xfd", _signed(stage, b"\xff\xfe\xfd")),
        ("100 signatures", body, headers | _signatures(100)),
        ("10,000 signatures", body, headers | _signatures(10_000)),
    ):
        began = time.monotonic()
        try:
            status = _post(stage, sent, given)
        except requests.ConnectionError:
            status = _FIRST_REFUSAL
        stage.expect(_FIRST_REFUSAL <= status < _FIRST_FAULT, f"{name}: answered {status}")
        stage.expect(time.monotonic() - began < _SLOW_S, f"{name}: refused after {time.monotonic() - began:.1f} s")
        stage.hurt()
    with socket.create_connection((HOST, stage.receiver_port)) as slow:
        slow.sendall(
            b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99\r\n\r\n{"
        )
        stage.expect(_post(stage, body, headers) == _OK, "one slow sender keeps the others out")
    grown = _resident_kb(stage) - before
    stage.expect(grown < _MOST_GROWN_KB, f"the receiver grew by {grown} kB")


def _signatures(count: int) -> dict[str, str]:
    many = ",".join(f"v1={secrets.token_hex(32)}" for _ in range(count))
    return {"Stripe-Signature": f"t={int(time.time())},{many}"}


def _resident_kb(stage: Stage) -> int:
    """Peak resident size of the receiver, where the system tells it."""
    status = Path(f"/proc/{stage.living['receiver'].pid}/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def _always_fails(stage: Stage) -> None:
    """A handler that fails each time ends as a work item with its trace; replayed when it is mended, it acts once.

    Of a dispute, which nothing of ours can show before its event is handled.
    """
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    stage.living["worker"].kill_group()
    worker = stage.worker(env={"BILLING_FAILPOINTS": "event.commit=raise@*"})
    charge = next(iter(stage.witness.charges()))
    opened = stage.witness.call("POST", "disputes", {"charge": charge.charge_ref})
    dead = "SELECT count(*) FROM billing.provider_event WHERE status = 'dead'"
    stage.wait(lambda: stage.count(dead) > 0 and stage.quiet, "the events to be given up")
    stage.hurt(stage.count("SELECT sum(tries) FROM billing.provider_event WHERE status = 'dead'"))
    traced = stage.count(
        "SELECT count(*) FROM billing.work_item "
        "WHERE kind = 'event_not_handled' AND trace IS NOT NULL AND status = 'open'"
    )
    stage.expect(traced == stage.count(dead), f"{traced} work items with a trace for {stage.count(dead)} dead events")
    worker.kill_group()
    stage.worker()
    for _ in range(2):
        orders, not_handled = Order(actor="crash", reason="the handler is mended"), WorkFilter(kind="event_not_handled")
        for done in act_on_all(stage.parts, not_handled, action=Action.RETRY, order=orders):
            stage.expect(done.refused is None, f"the replay is refused: {done.refused}")
    stage.play()
    stage.witness.call("POST", f"disputes/{opened.get('id') or opened['dispute_id']}/close", {"status": "won"})
    stage.play()
    told = stage.count(
        "SELECT count(*) FROM billing.dispute WHERE status = 'won' AND withdrawn_minor = reinstated_minor"
    )
    stage.expect(told == 1, f"{told} disputes that were won, not 1")


def _back_and_forth(stage: Stage) -> None:
    """Business time runs ahead by a month, is set back, and comes again: nothing is billed twice, nothing too early."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    ahead = stage.world.moments[1]
    for moment in (ahead, START, ahead, START):
        stage.advance(moment)
        stage.hurt()
        stage.wait(lambda: stage.quiet, "all to be quiet")


ROWS = (
    Row("64", "no receiver for days", lambda _: [Case("64", "four days", _four_days_without, world=_FOUR_DAYS)]),
    Row("65", "events that are never made", lambda _: [Case("65", "none at all", _never_told, world=_RETRIED)]),
    Row("66", "forged and stale deliveries", lambda _: [Case("66", "six kinds", _forged, world=_PAIR)]),
    Row("67", "a secret is changed under traffic", lambda _: [Case("67", "old and new", _rotated, world=_PAIR)]),
    Row("68", "monstrous deliveries", lambda _: [Case("68", "five kinds", _monstrous, world=_PAIR)]),
    Row("69", "a handler that always fails", lambda _: [Case("69", "then mended", _always_fails, world=_PAIR)]),
    Row(
        "71",
        "business time goes back",
        lambda _: [Case("71", "a month ahead, twice", _back_and_forth, world=_TWO_MONTHS)],
    ),
)
