"""What the provider remembers and a restored database lost: once accepted it accuses no more, and the next one does."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from billing.flows import audit, auditing, refunding, working
from billing.flows.audit_report import Report
from billing.flows.order import Order
from billing.flows.working import Action
from billing.queries.operations.work import WorkFilter
from tests.flows.company import START, Company
from tests.flows.restored import backup_of, heal

WHY = Order(actor="fay", reason="lost with the database of 3 March, and paid back by hand")


def test_what_a_restored_sandbox_is_accused_of_for_good_is_accepted_and_the_next_lost_charge_is_seen(
    acme: Company,
) -> None:
    with backup_of(acme) as backup:
        acme.customer("known")
        acme.subscribe("known", "s1")
        acme.settle()
        backup.take()
        acme.customer("declined", method="pm_card_visa_chargeDeclinedInsufficientFunds")
        acme.subscribe("declined", "s2")
        acme.customer("lost")
        acme.subscribe("lost", "s3")
        acme.settle()
        refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=500)
        acme.settle()
        backup.restore()
        heal(acme, at=START + timedelta(days=1))

    assert audit.run(acme.parts).violations == (), "our rows alone, as with a live account, accuse of nothing"
    first, second = _witnessed(acme), _witnessed(acme)
    assert {each.code for each in first.violations} == {"P3", "P5", "P9"}
    assert set(first.violations) == set(second.violations), "and so for ever"
    everything = WorkFilter(kind=auditing.BY_WITNESS)
    done = list(working.act_on_all(acme.parts, everything, action=Action.ACCEPT, order=WHY))
    assert [each.refused for each in done] == [None] * len(first.violations)
    third = _witnessed(acme)
    assert (third.broken, len(third.accepted)) == (False, len(first.violations))
    assert acme.violations() != (), "but for who proves something"

    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment SET amount_minor = amount_minor + 1 WHERE status = 'succeeded'"))
    assert "P5" in {each.code for each in _witnessed(acme).violations}


def _witnessed(acme: Company) -> Report:
    report = audit.run(acme.parts, witness=acme.witness, shown=auditing.SHOWN, with_acceptances=True)
    auditing.keep(acme.parts, report)
    return report
