"""Rows 75, 82 to 84: who orders twice; who waits for an answer: at the page, for a mail, an operator who adopts."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta

import requests

from billing.flows import links
from billing.flows.reconciliation import reconcile
from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.dialect import KEY
from billing.sandbox.crash.kills import DROP_ALL, killed
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import NO_FUNDS, START, VISA, Customer, World
from billing.sandbox.postbox import postbox

_OWING = World(customers=(Customer("a1", card=NO_FUNDS), Customer("a2")))
"""The card of the first is declined; another way pays in the end."""
_DECLINED = World(customers=(Customer("a1", card=NO_FUNDS, pays=False), Customer("a2")))
_TIMEOUT_S = 20.0
_PAYING = ("charge.marked", "charge.sending", "charge.answered", "charge.record", "charge.recorded")
_MAILING = ("notice.taken", "notice.sending", "notice.taken_by_server")
_ADOPTING = ("adopt.read", "adopt.commit")


def _payer_is_left(point: str) -> Story:
    """SIGKILL to the receiver while the customer's payment at the page is under way: they never hear, and pay once."""

    def story(stage: Stage) -> None:
        stage.receiver(faults=f"{point}=kill")
        worker = stage.worker()
        stage.play(lambda: stage.quiet)
        worker.kill_group()
        stage.change_card("a1", VISA)
        with suppress(requests.ConnectionError):
            _press(stage)
        killed(stage, point, process="receiver")
        stage.revive()
        stage.play()
        tried = stage.count("SELECT count(*) FROM billing.payment WHERE kind = 'on_session'")
        stage.expect(tried == 1, f"{tried} attempts at the page, not 1")

    return story


def _press(stage: Stage) -> None:
    """What the page's script sends when the customer presses `Pay`."""
    settings = stage.parts.settings.model_copy(update={"billing_public_url": stage.receiver_url})
    profile_id = stage.ids("SELECT id FROM billing.profile WHERE account_id = 'a1'")[0]
    with stage.parts.begin() as session:
        link = links.profile_link(replace(stage.parts, settings=settings), session, profile_id)
    with requests.Session() as browser:
        browser.trust_env = False
        browser.post(f"{link}/attempts", json={}, timeout=_TIMEOUT_S)


def _mailer_dies(point: str) -> Story:
    """SIGKILL to the worker around the handing over of a mail: it arrives, and a second copy is known for one."""

    def story(stage: Stage) -> None:
        until_the_end = ExitStack()
        stage.at_end(until_the_end.close)
        box = until_the_end.enter_context(postbox())
        stage.everywhere = {"SMTP_URL": box.url, "SMTP_FROM": "billing@example.com"}
        stage.receiver()
        stage.worker(faults=f"{point}=kill")
        stage.wait(lambda: stage.fired(point) is not None, "a mail to be sent")
        stage.hurt()
        stage.wait(lambda: stage.count(_TOLD) > 0 and not stage.count(_UNTOLD), "every mail to be sent")
        told = stage.count(_TOLD)
        names = [message["Message-ID"] for message in box.messages]
        stage.expect(len(set(names)) == told, f"{len(set(names))} mails arrived, not {told}")
        copies = 1 if point == "notice.taken_by_server" else 0
        stage.expect(len(names) == told + copies, f"{len(names) - told} copies arrived, not {copies}")

    return story


_TOLD = "SELECT count(*) FROM billing.notice WHERE status = 'sent'"
_UNTOLD = "SELECT count(*) FROM billing.notice WHERE status = 'waiting'"


def _adopter_dies(point: str) -> Story:
    """SIGKILL to the operator who adopts a payment that was made past us: typed again, it is settled once."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker()
        stage.play(lambda: stage.quiet)
        stage.witness.add_faults(DROP_ALL)
        pay_past_us(stage)
        reconcile(stage.parts, since=START - timedelta(days=1))
        order = ("work", "adopt", "--all", "--kind", "charge_without_attempt", "--reason", "by phone", "--by", "mara")
        stage.typed(*order, faults=f"{point}=kill")
        if stage.fired(point, process="operator") is None:
            raise NotReached(point)
        stage.hurt()
        stage.typed(*order)

    return story


def _orders_twice(stage: Stage) -> None:
    """Two operators order the same try at once, and one more once it is paid: one attempt, one no and a notice."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    before = stage.count(_ATTEMPTS)
    number = stage.text("SELECT number FROM billing.invoice WHERE status = 'open'")
    stage.change_card("a1", VISA)
    order = ("invoice", "retry", number, "--reason", "asked for", "--by")
    operators = [stage.operator(*order, name) for name in ("mara", "noor")]
    stage.hurt(2)
    stage.wait(lambda: not any(each.alive for each in operators), "both operators")
    stage.play()
    stage.typed(*order, "mara")
    stage.play()
    tried = stage.count(_ATTEMPTS) - before
    stage.expect(tried == 1, f"{tried} attempts, not 1")


_ATTEMPTS = "SELECT count(*) FROM billing.payment"


def pay_past_us(stage: Stage) -> None:
    """Somebody confirms the intent of the open invoice in the provider's dashboard, with a card that works."""
    (invoice_id,) = stage.ids("SELECT id FROM billing.invoice WHERE status = 'open'")
    intent = next(each for each in stage.witness.intents() if each.invoice_id == str(invoice_id))
    with requests.Session() as person:
        person.trust_env, person.auth = False, (KEY, "")
        there = f"{stage.server.url}/v1"
        card = person.post(
            f"{there}/payment_methods/{VISA}/attach", data={"customer": intent.customer_ref}, timeout=_TIMEOUT_S
        )
        card.raise_for_status()
        paid = {"payment_method": card.json()["id"], "off_session": "true"}
        person.post(
            f"{there}/payment_intents/{intent.intent_ref}/confirm", data=paid, timeout=_TIMEOUT_S
        ).raise_for_status()


ROWS = (
    Row(
        "75",
        "operators order the same twice, and what is done already",
        lambda _: [Case("75", "a retry", _orders_twice, world=_OWING)],
    ),
    Row(
        "82",
        "a customer pays at the page, and the receiver is killed",
        lambda _: [Case("82", f"receiver {point}@1", _payer_is_left(point), world=_OWING) for point in _PAYING],
    ),
    Row(
        "83",
        "killed around the handing over of a mail",
        lambda _: [Case("83", f"child {point}@1", _mailer_dies(point), world=_DECLINED) for point in _MAILING],
    ),
    Row(
        "84",
        "an operator killed while a payment past us is adopted",
        lambda _: [Case("84", f"operator {point}@1", _adopter_dies(point), world=_OWING) for point in _ADOPTING],
    ),
)
