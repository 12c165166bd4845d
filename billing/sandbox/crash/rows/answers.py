"""Rows 20 to 30, 32, 33: what the provider may answer, or not; cards that decline, wait or vanish."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.halfway import Halfway
from billing.sandbox.crash.kills import DROP_ALL
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import NO_FUNDS, START, VISA, Customer, World

_DAYS = (START, START + timedelta(days=3))
_PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_LATER = World(customers=_PAIR.customers, moments=(START, START + timedelta(hours=25)))
_RETRIED = World(customers=(Customer("a1", card=NO_FUNDS), Customer("a2")), moments=_DAYS)
_MASTERCARD = "pm_card_mastercard"

_HTML = b"<html><body>Bad gateway</body></html>"
_BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
    % (len(_HTML), _HTML)
)
_NOT_JSON = _BAD_GATEWAY.replace(b"502 Bad Gateway", b"200 OK")
_REFUSED = b'{"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}'
_UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
    % (len(_REFUSED), _REFUSED)
)


def _answered(instead: bytes, *, times: int = 1, forwarded: bool) -> Story:
    """Something between us and the provider answers in its place; the request gets through to it, or not."""

    def story(stage: Stage) -> None:
        proxy = Halfway(
            stage.server.url,
            to=f"POST {stage.house.charges} ".encode(),
            instead=instead,
            times=times,
            forwarded=forwarded,
        )
        stage.at_end(proxy.close)
        stage.receiver()
        stage.worker(env={stage.house.base: proxy.url})
        if not stage.play(lambda: proxy.hits >= times):
            raise NotReached("an answer to replace")
        stage.hurt(times)

    return story


def _faults(*faults: dict[str, object], hits: int, clear: bool = False) -> Story:
    def story(stage: Stage) -> None:
        stage.witness.add_faults(*({**each, **_charges(stage)} for each in faults))
        stage.receiver()
        stage.worker()
        if not stage.play(lambda: sum(each["hits"] for each in stage.witness.faults()) >= hits):
            raise NotReached("the provider's faults")
        if clear:
            stage.witness.clear_faults()
        stage.hurt(hits)

    return story


def _charges(stage: Stage) -> dict[str, object]:
    """What a fault strikes."""
    return {"path": stage.house.charges, "method": "POST"}


def _changed_between(stage: Stage) -> None:
    """The outcome is unknown, the customer gives another card: the key is asked again with what it was sent with."""
    stage.witness.add_faults({"kind": "timeout_before", "next": 2, **_charges(stage)})
    stage.receiver()
    stage.worker(faults="resolve.claimed=stop")
    if not stage.play(lambda: stage.fired("resolve.claimed") is not None):
        raise NotReached("resolve.claimed")
    stage.change_card("a1", _MASTERCARD)
    stage.hurt()
    stage.living["worker"].kill_group()
    stage.revive()
    stage.play()
    for key, sent in _sent(stage).items():
        stage.expect(len(sent) == 1, f"the key {key} was used with {len(sent)} sets of parameters")


def _sent(stage: Stage) -> dict[str, set[str]]:
    sent: dict[str, set[str]] = {}
    for request in stage.witness.requests():
        if request.method == "POST" and request.path.startswith(stage.house.charges) and request.key:
            sent.setdefault(request.key, set()).add(repr((request.path, sorted(request.params.items()))))
    return sent


def _out_for_a_day(kind: str) -> Story:
    """The worker dies with an unknown outcome and is back after the key's life: it asks, it lists, it never replays."""

    def story(stage: Stage) -> None:
        stage.witness.add_faults(DROP_ALL, {"kind": kind, "next": 1, **_charges(stage)})
        stage.receiver()
        worker = stage.worker()
        if not stage.play(lambda: any(each["hits"] for each in stage.witness.faults() if each["kind"] == kind)):
            raise NotReached(kind)
        worker.kill_group()
        asked = Counter(each.key for each in stage.witness.requests() if each.path.startswith(stage.house.charges))
        stage.skip()
        stage.hurt()
        stage.revive()
        stage.play()
        late = (
            Counter(each.key for each in stage.witness.requests() if each.path.startswith(stage.house.charges)) - asked
        )
        again = [key for key in late if key and asked[key]]
        stage.expect(not again, f"keys older than their life were sent again: {again}")

    return story


def _another_card(stage: Stage) -> None:
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    stage.change_card("a1", VISA)
    stage.hurt()
    stage.play()
    attempts = stage.count("SELECT max(attempt_no) FROM billing.payment")
    stage.expect(attempts == 2, f"{attempts} attempts where a decline and a success were wanted")


def _asks_for_its_owner(stage: Stage) -> None:
    """Nobody is there to authenticate: the bank is not asked again by itself."""
    stage.receiver()
    stage.worker()
    stage.play()
    stage.hurt()
    attempts = stage.count("SELECT count(*) FROM billing.payment")
    stage.expect(attempts == 1, f"{attempts} attempts for a card that asks for its owner")


def _processing(stage: Stage) -> None:
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    stage.hurt()
    attempts = stage.count("SELECT count(*) FROM billing.payment WHERE status = 'processing'")
    stage.expect(attempts == 1, f"{attempts} attempts are processing")
    stage.play()
    most = stage.count("SELECT max(attempt_no) FROM billing.payment")
    stage.expect(most == 1, "another attempt was opened beside one that was processing")


def _search_lags(stage: Stage) -> None:
    """Search shows nothing of the last hour: whether a charge exists is never concluded from it."""
    stage.server.stand_in.configure({"search_lag_s": 3600})
    _faults({"kind": "timeout_after", "next": 2}, hits=2)(stage)


def _vanished(stage: Stage) -> None:
    """The method was detached at the provider: what is due is not taken from another card."""
    stage.receiver()
    for ref in _methods(stage, "a1"):
        stage.house.remove(stage.server, ref)
    stage.hurt()
    stage.worker()
    stage.play()
    charged = [each for each in stage.witness.charges() if each.status == "succeeded"]
    stage.expect(len(charged) == stage.world.documents - 1, f"{len(charged)} charges where the others' were wanted")
    stage.change_card("a1", _MASTERCARD)


def _methods(stage: Stage, account: str) -> list[str]:
    with stage.parts.begin() as session:
        rows = session.connection().exec_driver_sql(
            "SELECT m.method_ref FROM billing.payment_method m JOIN billing.profile p ON p.id = m.profile_id "
            "WHERE p.account_id = %s",
            (account,),
        )
        return [str(ref) for ref in rows.scalars()]


ROWS = (
    Row(
        "21",
        "502 in HTML, or what is no answer of Stripe's",
        lambda _: [
            Case("21", "502, not forwarded", _answered(_BAD_GATEWAY, forwarded=False), world=_PAIR),
            Case("21", "502, done all the same", _answered(_BAD_GATEWAY, forwarded=True), world=_PAIR),
            Case("21", "200 in HTML, done all the same", _answered(_NOT_JSON, forwarded=True), world=_PAIR),
        ],
    ),
    Row(
        "23",
        "409, the key is in use",
        lambda _: [
            Case(
                "23",
                "asked again while the first runs",
                _faults({"kind": "slow", "ms": 3000, "next": 1}, hits=1),
                _PAIR,
            )
        ],
    ),
    Row("24", "other parameters between two tries", lambda _: [Case("24", "another card", _changed_between, _PAIR)]),
    Row(
        "25",
        "the key has outlived its day",
        lambda _: [
            Case("25", "money moved", _out_for_a_day("timeout_after"), world=_LATER),
            Case("25", "nothing done", _out_for_a_day("timeout_before"), world=_LATER),
        ],
    ),
    Row("26", "declined, another card, paid", lambda _: [Case("26", "another card", _another_card, _RETRIED)]),
    Row(
        "27",
        "the bank asks for the card's owner",
        lambda _: [
            Case(
                "27",
                "authentication required",
                _asks_for_its_owner,
                World(customers=(Customer("a1", card="pm_card_authenticationRequired", pays=False),), moments=_DAYS),
            )
        ],
    ),
    Row(
        "28",
        "processing for days",
        lambda _: [
            Case(
                "28",
                "then paid",
                _processing,
                World(customers=(Customer("a1", card="pm_sandbox_processing"),), moments=_DAYS),
            ),
        ],
    ),
    Row(
        "29",
        "every answer comes too late",
        lambda _: [
            Case(
                "29",
                "three answers",
                _faults({"kind": "slow", "ms": 1400, "rate": 1}, hits=3, clear=True),
                world=_PAIR,
            )
        ],
    ),
    Row("30", "search lags by an hour", lambda _: [Case("30", "while outcomes are unknown", _search_lags, _PAIR)]),
    Row(
        "32",
        "the method is gone at the provider",
        lambda _: [Case("32", "detached there", _vanished, World(customers=_PAIR.customers, moments=_DAYS))],
    ),
    Row(
        "33",
        "the provider refuses our key",
        lambda _: [Case("33", "for six requests", _answered(_UNAUTHORIZED, times=6, forwarded=False), world=_PAIR)],
    ),
)
