"""Payouts are booked from the provider's balance: each once, whatever was told of them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, select, text

from billing.commands.movement.book import book_movements
from billing.commands.movement.keep import keep_movements
from billing.commands.payout.note import begin_payout, note_payout
from billing.flows import movements, payouts, refunding
from billing.kernel.errors import ProviderUnavailable
from billing.kernel.ids import new_id
from billing.models import Payment, Payout, ProviderMovement, UnappliedPayment
from billing.providers.listed import ListedMovement, PayoutFacts
from billing.queries.payouts import sellers_of
from billing.sandbox.embedded.processes import wait_until
from tests.flows.balances import FEE, paid_once, stands, told_of
from tests.flows.company import START, Company
from tests.flows.sharing import another_seller
from tests.flows.test_lock_order import ends, waiting
from tests.flows.test_start import somebody_waits


@pytest.fixture
def paid(acme: Company) -> Company:
    return paid_once(acme)


def test_a_payout_leaves_clearing_and_arrives_at_the_bank(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {})
    assert payout["amount"] == 1190 - FEE
    paid.wait_for(lambda: told_of(paid, "payout.created"))
    paid.settle()
    assert stands(paid) == {"provider_clearing": 0, "provider_fees": FEE, "payouts_in_transit": 1125, "bank": 0}
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "paid"})
    paid.wait_for(lambda: told_of(paid, "payout.paid"))
    paid.settle()
    assert stands(paid) == {"provider_clearing": 0, "provider_fees": FEE, "payouts_in_transit": 0, "bank": 1125}
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "failed"})
    paid.wait_for(lambda: told_of(paid, "payout.failed"))
    paid.settle()
    assert stands(paid) == {"provider_clearing": 1125, "provider_fees": FEE, "payouts_in_transit": 0, "bank": 0}
    assert paid.violations() == ()


def test_a_balance_below_nothing_is_drawn_from_the_bank(paid: Company) -> None:
    paid.witness.call("POST", "payouts", {})
    refunding.refund(paid.parts, paid.invoices()[0].id)
    paid.settle()
    (drawn,) = paid.witness.call("POST", "payouts", {})
    assert drawn["amount"] == -1190
    paid.wait_for(lambda: told_of(paid, "payout.created"))
    paid.witness.call("POST", f"payouts/{drawn['id']}", {"status": "paid"})
    paid.settle()
    assert stands(paid) == {"provider_clearing": 0, "provider_fees": FEE, "payouts_in_transit": 1125, "bank": -1190}
    assert paid.violations() == ()


def test_a_payout_that_nobody_told_us_of_is_found_in_the_balance(paid: Company) -> None:
    paid.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    (payout,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    assert stands(paid)["payouts_in_transit"] == 1125
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "paid"})
    paid.set_clock(START + timedelta(days=3))
    movements.sweep(paid.parts)
    assert stands(paid)["bank"] == 1125


def test_a_payout_that_came_back_and_nobody_told_us_of_is_found_in_the_balance(paid: Company) -> None:
    """A bank may send back for days what it took; the balance shows it, whatever became of the event."""
    (payout,) = paid.witness.call("POST", "payouts", {})
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "paid"})
    paid.wait_for(lambda: told_of(paid, "payout.paid"))
    paid.settle()
    assert stands(paid)["bank"] == 1125
    paid.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "failed"})
    paid.set_clock(START + timedelta(days=5))
    movements.sweep(paid.parts)
    assert stands(paid) == {"provider_clearing": 1125, "provider_fees": FEE, "payouts_in_transit": 0, "bank": 0}
    asked = len(list(paid.witness.requests()))
    paid.set_clock(START + timedelta(days=5, hours=3))
    movements.sweep(paid.parts)
    assert not [each for each in list(paid.witness.requests())[asked:] if each.path.startswith("/v1/payouts/")]


def test_a_payout_that_can_not_be_read_keeps_no_other_from_it(paid: Company) -> None:
    paid.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    (first,) = paid.witness.call("POST", "payouts", {})
    paid.customer("a2")
    paid.subscribe("a2", "s2")
    paid.settle()
    (second,) = paid.witness.call("POST", "payouts", {})
    ends = sorted(payout["id"] for payout in (first, second))
    paid.witness.add_faults({"kind": "error_500_before", "rate": 1, "path": f"/v1/payouts/{ends[0]}"})
    with pytest.raises(ProviderUnavailable):
        movements.sweep(paid.parts)
    with paid.begin() as session:
        assert list(session.scalars(select(Payout.payout_ref))) == [ends[1]]


def test_what_a_payout_shows_is_booked_once_and_an_older_fact_changes_nothing(paid: Company) -> None:
    shares = [{"seller_id": str(paid.seller_id), "amount_minor": 1000}]

    def note(status: str) -> bool:
        facts = PayoutFacts("po_1", status, 1000, "eur", START)
        with paid.parts.begin() as session:
            return note_payout(session, account_id=paid.account_id, facts=facts, shares=shares, now=START)

    assert [note(status) for status in ("in_transit", "in_transit", "failed", "failed", "paid")] == [
        True, False, True, False, False,
    ]  # fmt: skip
    assert (paid.account("payouts_in_transit"), paid.account("bank")) == (0, 0)
    with paid.begin() as session:
        assert session.scalars(select(Payout)).one().status == "failed"


def test_an_older_fact_never_takes_a_payout_back_to_where_it_was(paid: Company) -> None:
    """Two looks at once: what one read while the payout was on its way is noted after the other noted it as paid."""
    shares = [{"seller_id": str(paid.seller_id), "amount_minor": 1000}]

    def note(status: str) -> bool:
        facts = PayoutFacts("po_1", status, 1000, "eur", START)
        with paid.parts.begin() as session:
            return note_payout(session, account_id=paid.account_id, facts=facts, shares=shares, now=START)

    told = ("in_transit", "pending", "paid", "in_transit", "paid", "failed", "in_transit", "paid")
    assert [note(status) for status in told[:5]] == [True, False, True, False, False]
    assert (paid.account("payouts_in_transit"), paid.account("bank")) == (0, 1000)
    assert [note(status) for status in told[5:]] == [True, False, False]
    assert (paid.account("payouts_in_transit"), paid.account("bank")) == (0, 0)


def test_a_payout_is_shared_among_the_sellers_whose_money_it_holds(paid: Company) -> None:
    other = another_seller(paid)
    movements.sweep(paid.parts)
    refunding.refund(paid.parts, paid.invoices()[0].id, amount_minor=100)
    with paid.parts.begin() as session:
        listed = [ListedMovement("txn_theirs", "adjustment", None, 500, 0, "eur", START)]
        keep_movements(session, account_id=paid.account_id, listed=listed)
        theirs = "UPDATE billing.provider_movement SET seller_id = :id WHERE balance_ref = 'txn_theirs'"
        session.execute(text(theirs), {"id": other})
    with paid.begin() as session:
        refs = session.scalars(select(ProviderMovement.balance_ref)).all()
        found = sellers_of(session, account_id=paid.account_id, balance_refs=refs)
    assert found == {paid.seller_id: 1125, other: 500}


def test_a_payout_that_failed_goes_back_to_those_whose_money_it_held(paid: Company) -> None:
    """The next payout holds it again: by the shares of the failed one."""
    other = another_seller(paid)
    shares = [
        {"seller_id": str(paid.seller_id), "amount_minor": 300},
        {"seller_id": str(other), "amount_minor": 700},
    ]
    with paid.parts.begin() as session:
        facts = PayoutFacts("po_1", "failed", 1000, "eur", START)
        note_payout(session, account_id=paid.account_id, facts=facts, shares=shares, now=START)
        listed = [ListedMovement("txn_back", "payout_failure", "po_1", 1000, 0, "eur", START)]
        keep_movements(session, account_id=paid.account_id, listed=listed)
        book_movements(session, account_id=paid.account_id, now=START, most=10)
        found = sellers_of(session, account_id=paid.account_id, balance_refs=["txn_back"])
    assert found == {paid.seller_id: 300, other: 700}


def test_what_a_worker_of_the_release_before_told_of_a_payout_without_shares_is_booked_whole(paid: Company) -> None:
    """It takes the row for one that is in the books, and writes on it what it then posts to nobody."""
    shares = [{"seller_id": str(paid.seller_id), "amount_minor": 1125}]
    facts, later = PayoutFacts("po_1", "failed", 1125, "eur", None, listed=False), START + timedelta(days=9)
    with paid.parts.begin() as session:
        begin_payout(session, account_id=paid.account_id, facts=facts, now=START)
        session.execute(text("UPDATE billing.payout SET status = 'paid', paid_at = opened_at"))
        assert note_payout(session, account_id=paid.account_id, facts=facts, shares=shares, now=later)
        row = session.scalars(select(Payout)).one()
        assert (row.status, row.opened_at, row.paid_at, row.failed_at) == ("failed", later, None, later)
    assert (stands(paid)["payouts_in_transit"], stands(paid)["bank"]) == (0, 0)


def test_of_two_who_note_a_payout_at_once_the_second_finds_it_known(paid: Company) -> None:
    facts = PayoutFacts("po_1", "in_transit", 1125, "eur", None, listed=False)
    shares = [{"seller_id": str(paid.seller_id), "amount_minor": 1125}]

    def note() -> bool:
        with paid.parts.begin() as session:
            return note_payout(session, account_id=paid.account_id, facts=facts, shares=shares, now=START)

    with paid.parts.sessions() as session, session.begin() as first:
        assert note_payout(session, account_id=paid.account_id, facts=facts, shares=shares, now=START)
        with waiting(paid, note) as second:
            first.commit()
    assert ends(second) is False
    assert stands(paid)["payouts_in_transit"] == 1125


def test_who_settles_a_shared_payout_waits_for_whoever_books_what_it_holds(paid: Company) -> None:
    """Two of its events at once: what one was booking was nobody's to the other, and its seller lost it for good."""
    other = another_seller(paid)
    paid.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    _is_paid_for(paid, other)
    (payout,) = paid.witness.call("POST", "payouts", {})

    def settle() -> bool:
        assert movements.read(paid.parts, paid.account_id)[1]
        return payouts.settle_payout(paid.parts, paid.account_id, payout["id"])

    with ThreadPoolExecutor(1) as pool:
        told: list[Future[bool]] = []

        def while_it_books(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "UPDATE billing.provider_movement m\n    SET seller_id" in statement and not told:
                told.append(pool.submit(settle))
                assert wait_until(lambda: somebody_waits(paid) or told[0].done(), seconds=10)

        event.listen(paid.parts.sessions.kw["bind"], "before_cursor_execute", while_it_books)
        movements.read(paid.parts, paid.account_id)
        assert ends(told[0])
    with paid.begin() as session:
        (row,) = session.scalars(select(Payout))
        shares = {share["seller_id"]: share["amount_minor"] for share in row.shares}
    assert shares == {str(paid.seller_id): 1190 - FEE, str(other): 1190 - FEE}


def _is_paid_for(acme: Company, other: UUID) -> None:
    """Another 11.90 comes by the account, for the other seller."""
    acme.customer("a2")
    acme.subscribe("a2", "s2")
    acme.settle()
    with acme.parts.begin() as session:
        charge = session.scalars(select(Payment).order_by(Payment.id.desc()).limit(1)).one()
        ref, charge.charge_ref = charge.charge_ref, "ch_another"
        session.flush()
        theirs = UnappliedPayment(
            id=new_id(),
            seller_id=other,
            provider_account_id=acme.account_id,
            charge_ref=ref,
            amount_minor=1190,
            currency="eur",
        )
        session.add(theirs)
