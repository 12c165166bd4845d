"""What happens by itself, later: balance transactions, payments and refunds that settle, disputes of test cards.

A timer is a row with a moment of the stand-in's clock, written in the transaction that promises it.
"""

from __future__ import annotations

from billing.sandbox.stripe import charges, disputes, refunds, settling
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.tx import Tx

_BATCH = 200

_WHAT = {
    "balance": charges.balance_arrives,
    "succeed": settling.succeeds,
    "fail": settling.fails,
    "refund_succeeds": refunds.succeeds,
    "refund_fails": refunds.fails,
    "dispute": disputes.opens,
}


def run_due(stand_in: StandIn) -> int:
    """Do what is due, at most a batch in one transaction; returns how many were done."""
    with stand_in.store.transaction() as tx:
        now = stand_in.clock.now()
        due = tx.sql("select * from timers where due <= ? order by due, seq limit ?", (now, _BATCH))
        for timer in due:
            (stand_in.timers or _WHAT)[timer["what"]](Call(stand_in, tx, timer["account"], now), timer["id"])
            tx.sql("delete from timers where seq = ?", (timer["seq"],))
        return len(due)


def waiting(tx: Tx, *, until: int) -> int:
    """How many are due by this moment of the stand-in's clock."""
    return int(tx.sql("select count(*) from timers where due <= ?", (until,))[0][0])
