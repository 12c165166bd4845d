"""Rows 34, 35, 76: refunds whose sender dies or is not answered, pay-outs, disputes, a void with a charge in flight."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from billing.flows import correcting, refunding
from billing.kernel.errors import Refused
from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.kills import killed, while_frozen
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import Customer, World

_WORLD = World(customers=(Customer("a1"), Customer("a2")))
_PART = 500
_SENDING = ("refund.sending", "refund.answered")


def _invoice(stage: Stage) -> UUID:
    """The first one."""
    return stage.ids("SELECT id FROM billing.invoice WHERE kind = 'invoice' ORDER BY number")[0]


def _paid(stage: Stage, *, faults: str = "") -> UUID:
    """Processes with these failpoints, and an invoice that they have charged."""
    stage.receiver()
    stage.worker(faults=faults)
    stage.play(lambda: stage.quiet)
    return _invoice(stage)


def _went_back(stage: Stage, amount: int) -> None:
    """Healed and played to the end, exactly this much has gone back."""
    stage.revive()
    stage.play()
    moved = sum(charge.refunded_minor for charge in stage.witness.charges())
    stage.expect(moved == amount, f"{moved} went back at the provider, not {amount}")
    waiting = stage.count("SELECT count(*) FROM billing.refund WHERE status <> 'succeeded'")
    stage.expect(waiting == 0, f"{waiting} refunds have not arrived in our books")


def _unanswered(kind: str) -> Story:
    """Two refunds are ordered at once, and the provider's first answer fails in this way."""

    def story(stage: Stage) -> None:
        invoice = _paid(stage)
        stage.witness.add_faults({"kind": kind, "next": 1, "path": stage.house.refunds, "method": "POST"})
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: refunding.refund(stage.parts, invoice, amount_minor=_PART), range(2)))
        if not stage.play(lambda: any(fault["hits"] for fault in stage.witness.faults())):
            raise NotReached(kind)
        stage.hurt()
        _went_back(stage, 2 * _PART)

    return story


def _sender_dies(point: str) -> Story:
    """SIGKILL to the worker's child around the call."""

    def story(stage: Stage) -> None:
        invoice = _paid(stage, faults=f"{point}=kill")
        refunding.refund(stage.parts, invoice, amount_minor=_PART)
        killed(stage, point)
        _went_back(stage, _PART)

    return story


def _operator_dies(stage: Stage) -> None:
    """SIGKILL to the operator's command with all of it written and nothing committed: it is as if never typed."""
    invoice = _paid(stage)
    order = ("refund", str(invoice), "--amount", str(_PART), "--reason", "an outage", "--by", "mara")
    stage.typed(*order, faults="refund.reserved=kill")
    if stage.fired("refund.reserved", process="operator") is None:
        raise NotReached("refund.reserved")
    stage.hurt()
    _went_back(stage, 0)
    stage.typed(*order)
    _went_back(stage, _PART)


def _pay_out_dies(stage: Stage) -> None:
    """The same of the command that sends a balance back: the balance is still there, and is sent back once."""
    _paid(stage)
    by = ("--currency", "eur", "--reason", "moved away", "--by", "mara")
    stage.typed("profile", "credit", "a1", "--amount", str(_PART), *by)
    stage.typed("profile", "pay-out", "a1", *by, faults="payout.reserved=kill")
    if stage.fired("payout.reserved", process="operator") is None:
        raise NotReached("payout.reserved")
    stage.hurt()
    _went_back(stage, 0)
    stage.typed("profile", "pay-out", "a1", *by)
    _went_back(stage, _PART)


def _disputed(point: str, status: str) -> Story:
    """A payment is disputed; the worker's child dies while it learns of it, and of how that ended."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker()
        stage.play(lambda: stage.quiet)
        charge = next(iter(stage.witness.charges()))
        stage.living["worker"].kill_group()
        stage.worker(faults=f"{point}=kill")
        opened = stage.witness.call("POST", "disputes", {"charge": charge.charge_ref})
        killed(stage, point)
        stage.revive()
        stage.witness.call("POST", f"disputes/{opened.get('id') or opened['dispute_id']}/close", {"status": status})
        stage.play()
        taken = stage.count("SELECT coalesce(sum(withdrawn_minor - reinstated_minor), 0) FROM billing.dispute")
        owed = stage.count("SELECT coalesce(sum(reopened_minor), 0) FROM billing.dispute")
        lost = charge.amount_minor if status == "lost" else 0
        stage.expect((taken, owed) == (lost, lost), f"{taken} taken and {owed} owed again, not {lost}")
        _decide(stage)

    return story


def _decide(stage: Stage) -> None:
    """A loss is a person's work, and here is the person."""
    for dispute in stage.ids("SELECT id FROM billing.dispute WHERE reopened_minor > 0"):
        stage.typed("dispute", "write-off", str(dispute), "--reason", "lost", "--by", "mara")


def _void(stage: Stage) -> None:
    """Refused while an attempt is open: the charge has won."""
    try:
        correcting.void(stage.parts, _invoice(stage))
    except Refused as refused:
        stage.expect(refused.code == "payment_in_flight", f"the void was refused as {refused.code}")
    else:
        stage.expect(False, "the void went through beside an attempt")


ROWS = (
    Row(
        "34",
        "refund not answered, refunded twice, its sender killed",
        lambda _: [
            *(
                Case("34", f"{kind} of two refunds", _unanswered(kind), world=_WORLD)
                for kind in (
                    "timeout_after",
                    "timeout_before",
                    "disconnect_after",
                    "error_500_after",
                    "error_500_before",
                )
            ),
            *(Case("34", f"child {point}@1", _sender_dies(point), world=_WORLD) for point in _SENDING),
            Case("34", "operator refund.reserved@1", _operator_dies, world=_WORLD),
            Case("34", "operator payout.reserved@1", _pay_out_dies, world=_WORLD),
        ],
    ),
    Row(
        "35",
        "charge succeeded, disputed later",
        lambda _: [
            Case("35", f"child {point}@1, {status}", _disputed(point, status), world=_WORLD)
            for point in ("event.reread", "event.commit")
            for status in ("won", "lost")
        ],
    ),
    Row(
        "76",
        "an operator voids while a charge is in flight",
        lambda _: [
            Case("76", f"void at {point}@1", while_frozen(point, _void), world=_WORLD)
            for point in ("charge.frozen", "charge.sending", "charge.answered")
        ],
    ),
)
