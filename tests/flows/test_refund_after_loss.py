"""Nobody gets back twice what a bank took back while a refund of it had failed, or could not be sent any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.commands.refund.record import note_facts
from billing.flows import crediting, dispute_events, paying_out, refunding, working
from billing.flows.order import Order
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.models import Invoice, Refund, WorkItem
from billing.providers.port import RefundFacts
from tests.flows.company import START, Company
from tests.flows.disputes import accused, end, open_dispute, the_dispute
from tests.flows.refunds import ask_again, at_provider, hasten, paid_invoice

ORDER = Order(actor="mara", reason="transfer 2026-02-11/17")


def failed(acme: Company, amount: int) -> Invoice:
    """11.90 were paid, and a refund of so much did not arrive."""
    paid = paid_invoice(acme, "pm_card_refundFail")
    refunding.refund(acme.parts, paid.id, amount_minor=amount)
    acme.settle()
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in at_provider(acme)] == ["failed"])
    acme.settle()
    return paid


def fails(acme: Company, row: Refund) -> None:
    """The bank sends it back, after it had seemed to arrive."""
    with acme.parts.begin() as session:
        refund = session.get_one(Refund, row.id)
        facts = RefundFacts(
            refund_ref=row.refund_ref or "",
            charge_ref=row.charge_ref,
            status="failed",
            amount_minor=row.amount_minor,
            currency="eur",
            failure_reason="lost_or_stolen_card",
            metadata_refund=str(row.id),
        )
        note_facts(session, refund=refund, facts=facts, now=acme.now(), wall=acme.now())


def end_unheard(acme: Company) -> None:
    """A dispute of the charge is lost, while nobody asks about refunds."""
    (charge,) = acme.witness.charges()
    ref = str(acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})["id"])
    acme.witness.call("POST", f"disputes/{ref}/close", {"status": "lost"})
    dispute_events.adopt_dispute(acme.parts, acme.account_id, ref)


def item(acme: Company, kind: str = "refund_failed") -> WorkItem:
    return [each for each in acme.work_items() if each.kind == kind][-1]


def stand(acme: Company) -> tuple[int, int, int, int]:
    """Owed as a refund, lost for good, owed by the customer again, and kept by the provider."""
    names = ("refunds_in_flight", "write_off", "receivable", "provider_clearing")
    first, *rest = (acme.account(name) for name in names)
    return (-first, *rest)


@pytest.mark.parametrize(("amount", "owed"), [(1190, 0), (400, 790)])
def test_a_refund_that_had_failed_is_settled_by_the_loss(acme: Company, amount: int, owed: int) -> None:
    failed(acme, amount)
    end(acme, open_dispute(acme), "lost")
    assert stand(acme) == (0, 0, owed, 0)
    (refund,) = acme.refunds()
    assert (refund.settled_as, refund.settled_reference) == ("dispute", the_dispute(acme).dispute_ref)
    assert item(acme).status == "resolved"
    assert not working.act(acme.parts, item(acme).id, action=Action.PAID, order=ORDER).changed
    assert acme.violations() == ()


def test_while_the_dispute_is_open_nobody_settles_it(acme: Company) -> None:
    failed(acme, 400)
    ref = open_dispute(acme)
    for action in (Action.PAID, Action.CREDIT):
        with pytest.raises(Refused) as refused:
            working.act(acme.parts, item(acme).id, action=action, order=ORDER)
        assert refused.value.code == "charge_disputed"
    end(acme, ref, "won")
    assert working.act(acme.parts, item(acme).id, action=Action.PAID, order=ORDER).changed
    assert (stand(acme), acme.violations()) == ((0, 0, 0, 1190), ())


def test_a_loss_that_does_not_cover_it_leaves_it_owed(acme: Company) -> None:
    failed(acme, 400)
    end(acme, open_dispute(acme, amount=300), "lost")
    assert (stand(acme), item(acme).status) == ((400, 0, 300, 890), "open")
    assert working.act(acme.parts, item(acme).id, action=Action.PAID, order=ORDER).changed
    assert acme.violations() == ()


def test_a_refund_that_fails_after_the_loss_is_settled_then(acme: Company) -> None:
    paid = paid_invoice(acme)
    refunding.refund(acme.parts, paid.id, amount_minor=400)
    acme.settle()
    end(acme, open_dispute(acme), "lost")
    assert stand(acme) == (0, 400, 790, -400)
    (row,) = acme.refunds()
    fails(acme, row)
    assert (stand(acme), item(acme).status) == ((0, 0, 790, 0), "resolved")


def test_one_that_was_never_sent_fails_once_the_dispute_is_lost(acme: Company) -> None:
    paid = paid_invoice(acme)
    refunding.refund(acme.parts, paid.id, amount_minor=400)
    acme.line.messages.clear()
    ref = open_dispute(acme)
    ask_again(acme)
    (row,) = acme.refunds()
    assert (row.status, item(acme, "refund_not_sent").status) == ("pending", "open")
    end(acme, ref, "lost")
    ask_again(acme)
    (row,) = acme.refunds()
    assert (row.status, row.reason, row.settled_as) == ("failed", "charge_disputed", "dispute")
    assert {each.status for each in acme.work_items() if each.kind.startswith("refund")} == {"resolved"}
    assert stand(acme) == (0, 0, 790, 0)
    assert acme.violations() == ()


def test_an_account_that_refuses_our_key_says_nothing_of_the_refund(acme: Company) -> None:
    paid = paid_invoice(acme)
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/refunds"})
    refunding.refund(acme.parts, paid.id, amount_minor=400)
    acme.run_messages()
    assert [each.status for each in at_provider(acme)] == ["succeeded"]
    end_unheard(acme)
    acme.revoke_key()
    hasten(acme)
    refunding.sweep(acme.parts)
    (row,) = acme.refunds()
    assert (row.status, row.reason) == ("pending", "key_rejected")
    acme.restore_key()
    ask_again(acme)
    assert ([each.status for each in acme.refunds()], acme.violations()) == (["succeeded"], ())


def done_unheard(acme: Company) -> None:
    """The provider made the refund and we heard nothing; the charge's dispute is lost, and the key is forgotten."""
    paid = paid_invoice(acme)
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/refunds"})
    refunding.refund(acme.parts, paid.id, amount_minor=400)
    acme.run_messages()
    end_unheard(acme)
    acme.witness.call("POST", "clock", {"now": (START + timedelta(hours=25)).isoformat()})
    hasten(acme)


def test_one_that_went_through_unheard_is_found_where_the_provider_refuses_the_resend(acme: Company) -> None:
    done_unheard(acme)
    refunding.sweep(acme.parts)
    (row,), (made,) = acme.refunds(), at_provider(acme)
    assert (row.status, row.refund_ref, row.settled_as) == ("succeeded", made.refund_ref, None)
    assert (len(at_provider(acme)), accused(acme)) == (1, [])


def test_while_the_list_is_not_to_be_had_a_refused_resend_ends_nothing(acme: Company) -> None:
    done_unheard(acme)
    acme.witness.add_faults({"kind": "timeout_before", "next": 9, "method": "GET", "path": "/v1/refunds"})
    refunding.sweep(acme.parts)
    (row,) = acme.refunds()
    assert (row.status, row.settled_as) == ("pending", None)
    acme.witness.clear_faults()
    hasten(acme)
    refunding.sweep(acme.parts)
    assert [each.status for each in acme.refunds()] == ["succeeded"]


def test_a_balance_that_could_not_be_sent_back_any_more_is_put_back(acme: Company) -> None:
    paid = paid_invoice(acme)
    crediting.credit(acme.parts, paid.id, amount_minor=400, order=ORDER)
    with acme.parts.begin() as session:
        paying_out.pay_out(acme.parts, session, paid.profile_id, currency="eur")
    acme.line.messages.clear()
    end(acme, open_dispute(acme), "lost")
    ask_again(acme)
    (row,) = acme.refunds()
    assert (row.status, row.settled_as, item(acme).status) == ("failed", None, "open")
    assert working.act(acme.parts, item(acme).id, action=Action.CREDIT, order=ORDER).changed
    assert acme.credit(paid.profile_id) == 400
    assert acme.violations() == ()


def test_a_loss_that_is_turned_owes_the_refund_again(acme: Company) -> None:
    failed(acme, 400)
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    end(acme, ref, "won")
    (refund,) = acme.refunds()
    assert (refund.settled_as, item(acme).status) == (None, "open")
    assert stand(acme) == (400, 0, 0, 1190)
    assert working.act(acme.parts, item(acme).id, action=Action.PAID, order=ORDER).changed
    assert acme.violations() == ()


def test_what_a_person_settled_is_not_owed_again_whatever_they_wrote_as_its_reference(acme: Company) -> None:
    failed(acme, 400)
    ref = open_dispute(acme, amount=300)
    end(acme, ref, "lost")
    named = Order(actor="mara", reason=ref)
    assert working.act(acme.parts, item(acme).id, action=Action.PAID, order=named).changed
    end(acme, ref, "won")
    (refund,) = acme.refunds()
    assert (refund.settled_as, item(acme).status) == ("paid", "resolved")
    assert (stand(acme), acme.violations()) == ((0, 0, 0, 1190), ())


def test_a_loss_settles_no_more_than_it_took(acme: Company) -> None:
    paid = paid_invoice(acme)
    for _ in range(2):
        refunding.refund(acme.parts, paid.id, amount_minor=100)
        acme.settle()
    end(acme, open_dispute(acme, amount=1090), "lost")
    for row in acme.refunds():
        fails(acme, row)
    assert [each.settled_as for each in acme.refunds()] == ["dispute", None]
    assert stand(acme) == (100, 0, 990, 100)
