"""The provider's balance is read on, and its fees and exchange are booked: each once, whoever dies over it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.movement.book import book_movements
from billing.commands.movement.keep import keep_movements
from billing.flows import movements, reconciliation, refunding, windows
from billing.kernel.failpoints import FailpointError, read_environment
from billing.models import ProviderAccount, ProviderEvent, ProviderMovement
from billing.providers.listed import ListedMovement
from tests.flows.balances import FEE, paid_once, stands, told_of
from tests.flows.company import START, Company
from tests.flows.comparing import compare, forget, in_the_dashboard
from tests.flows.handling import process
from tests.flows.sharing import another_seller


@pytest.fixture
def paid(acme: Company) -> Company:
    return paid_once(acme)


def test_the_fee_is_booked_when_the_balance_shows_it_and_once(paid: Company) -> None:
    assert paid.account("provider_fees") == 0
    assert movements.sweep(paid.parts) == 1
    assert stands(paid) == {"provider_clearing": 1190 - FEE, "provider_fees": FEE, "payouts_in_transit": 0, "bank": 0}
    paid.set_clock(START + timedelta(hours=4))
    assert movements.sweep(paid.parts) == 0
    assert paid.account("provider_fees") == FEE
    assert paid.violations() == ()


def test_a_payout_that_is_told_of_before_the_balance_was_ever_read_reads_it_from_its_first_charge(
    acme: Company,
) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(hours=2))
    (payout,) = acme.witness.call("POST", "payouts", {})
    acme.wait_for(lambda: told_of(acme, "payout.created"))
    acme.settle()
    assert payout["amount"] == 1190 - FEE
    assert stands(acme) == {"provider_clearing": 0, "provider_fees": FEE, "payouts_in_transit": 1125, "bank": 0}


class _Slow:
    """A wall clock by which each look at it comes a minute after the last."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        self._now += 60
        return self._now


def test_a_payout_that_is_told_of_while_the_balance_is_far_behind_waits_for_it_and_uses_up_no_try(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that read on to the end outlives its lease: others take the event up beside it, and bury it."""
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(hours=2))
    acme.witness.call("POST", "payouts", {})
    acme.wait_for(lambda: told_of(acme, "payout.created"))
    hour = timedelta(hours=1)
    monkeypatch.setattr(movements, "PACE", replace(movements.PACE, first=hour, wide=hour))
    monkeypatch.setattr(windows, "time", _Slow())
    told = []
    while not told or told[-1][0] != "processed":
        with acme.begin() as session:
            event = session.scalars(select(ProviderEvent).filter_by(type="payout.created")).one()
        process(acme.parts, event.id)
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.provider_event SET lease_until = NULL WHERE status = 'received'"))
            told.append(session.execute(select(ProviderEvent.status, ProviderEvent.tries).filter_by(id=event.id)).one())
        assert len(told) < 9
    assert told[0] == ("received", 0)
    assert told[-1] == ("processed", 1)
    assert stands(acme) == {"provider_clearing": 0, "provider_fees": FEE, "payouts_in_transit": 1125, "bank": 0}


def test_what_was_not_listed_yet_when_a_worker_of_the_release_before_read_is_read(paid: Company) -> None:
    """It notes the moment of its reading, and would go on an hour before it; we go on where it says."""
    read_at = paid.now()
    with paid.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_account SET movements_read_to = :at"), {"at": read_at})
    for minutes in (1, 122):
        paid.set_clock(read_at + timedelta(minutes=minutes))
        movements.sweep(paid.parts)
    assert _readings(paid)[-1] == str(int((read_at - movements.OVERLAP).timestamp()))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_reading_of_weeks_that_breaks_off_goes_on_from_where_it_was(
    paid: Company, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that takes longer than a task may would begin anew each time, and never end. What was read is booked:
    whoever breaks off after the last step has nobody who reads it again for an hour.
    """
    paid.set_clock(START + timedelta(days=20))
    with monkeypatch.context() as dying:
        dying.setenv("BILLING_FAILPOINTS", f"movements.step=raise@{steps}")
        read_environment()
        with pytest.raises(FailpointError):
            movements.sweep(paid.parts)
    read_environment()
    assert paid.account("provider_fees") == FEE
    asked = len(_readings(paid))
    assert movements.sweep(paid.parts) == 0
    week, began = movements.PACE.wide, START - movements.OVERLAP
    assert _readings(paid)[asked:] == [str(int((began + step * week).timestamp())) for step in range(steps, 3)]
    assert paid.account("provider_fees") == FEE
    assert movements.sweep(paid.parts) == 0


def test_a_busy_balance_is_read_in_narrower_windows_each_of_which_is_noted(
    paid: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits into no task is read all the same, a part in each; what is younger than an hour is read again."""
    paid.customer("a2")
    paid.subscribe("a2", "s2", start=START + timedelta(hours=2))
    paid.settle()
    paid.set_clock(START + timedelta(hours=9))
    monkeypatch.setattr(movements, "PACE", replace(movements.PACE, many=1))
    reached, booked = [], 0
    while not reached or reached[-1] < START + timedelta(hours=8):
        booked += movements.sweep(paid.parts, budget_s=0)
        with paid.begin() as session:
            reached.append(session.scalars(select(ProviderAccount.movements_read_to)).one() or START)
        assert len(reached) < 30
    assert reached == sorted(set(reached))
    assert len(reached) > 3
    assert (booked, paid.account("provider_fees")) == (2, 2 * FEE)
    asked = len(_readings(paid))
    assert movements.sweep(paid.parts) == 0
    assert len(_readings(paid)) == asked
    paid.set_clock(START + timedelta(hours=10))
    assert movements.sweep(paid.parts) == 0
    assert _readings(paid)[asked] == str(int((START + timedelta(hours=8)).timestamp()))


def test_what_a_step_read_is_read_again_where_it_could_not_be_booked(
    paid: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as dying:
        dying.setenv("BILLING_FAILPOINTS", "movements.kept=raise")
        read_environment()
        with pytest.raises(FailpointError):
            movements.sweep(paid.parts)
    read_environment()
    assert paid.account("provider_fees") == 0
    assert movements.sweep(paid.parts) == 1
    assert paid.account("provider_fees") == FEE


def _readings(acme: Company) -> list[str]:
    """From when on each reading of the balance was asked for."""
    asked = [each for each in acme.witness.requests() if each.path == "/v1/balance_transactions"]
    return [each.params["created"]["gte"] for each in asked]


def test_a_balance_that_was_just_read_is_left_alone(paid: Company) -> None:
    movements.sweep(paid.parts)
    asked = len(list(paid.witness.requests()))
    movements.sweep(paid.parts)
    assert len(list(paid.witness.requests())) == asked


def test_a_movement_waits_for_the_charge_that_is_not_in_our_rows_yet(paid: Company) -> None:
    """The charge's answer was lost: the balance knows of it before we do."""
    with paid.parts.begin() as session:
        listed = ListedMovement("txn_early", "charge", "ch_unknown", 1190, 65, "eur", START)
        keep_movements(session, account_id=paid.account_id, listed=[listed])
    movements.sweep(paid.parts)
    with paid.begin() as session:
        row = session.scalars(select(ProviderMovement).filter_by(balance_ref="txn_early")).one()
    assert (row.booked_at, row.seller_id) == (None, None)
    assert paid.account("provider_fees") == FEE


def test_a_charge_in_another_currency_is_exchanged_over_a_position_that_balances_in_each(paid: Company) -> None:
    charge = paid.payments()[0].charge_ref
    with paid.parts.begin() as session:
        listed = ListedMovement("txn_usd", "charge", charge, 1300, 68, "usd", START)
        keep_movements(session, account_id=paid.account_id, listed=[listed])
        assert book_movements(session, account_id=paid.account_id, now=START, most=10)[0] == 1
    assert _ledger(paid, "exchange", "provider_fee") == {
        ("exchange_differences", "eur"): 1190,
        ("provider_clearing", "eur"): -1190,
        ("exchange_differences", "usd"): -1300,
        ("provider_clearing", "usd"): 1300 - 68,
        ("provider_fees", "usd"): 68,
    }


def _ledger(acme: Company, *kinds: str) -> dict[tuple[str, str], int]:
    """What entries of these kinds have moved, by account and currency."""
    query = """
        SELECT p.account, p.currency, sum(p.amount_minor)::int FROM billing.posting p
        JOIN billing.ledger_entry e ON e.id = p.entry_id WHERE e.kind = ANY(:kinds) GROUP BY 1, 2"""
    with acme.begin() as session:
        rows = session.execute(text(query), {"kinds": list(kinds)})
        return {(account, currency): amount for account, currency, amount in rows}


def test_a_refund_that_fails_is_exchanged_back(paid: Company) -> None:
    """What the refund took out of clearing in each currency comes back in each."""
    refunding.refund(paid.parts, paid.invoices()[0].id, amount_minor=100)
    paid.settle()
    (refund,) = paid.refunds()
    with paid.parts.begin() as session:
        listed = [
            ListedMovement("txn_out", "refund", refund.refund_ref, -110, 0, "usd", START),
            ListedMovement("txn_back", "refund_failure", refund.refund_ref, 110, 0, "usd", START),
        ]
        keep_movements(session, account_id=paid.account_id, listed=listed)
        assert book_movements(session, account_id=paid.account_id, now=START, most=10)[0] == 2
    assert set(_ledger(paid, "exchange").values()) == {0}


@pytest.mark.parametrize(("type_", "source"), [("refund_failure", "re_unknown"), ("adjustment", "dp_unknown")])
def test_what_came_of_a_charge_waits_for_its_row_too(paid: Company, type_: str, source: str) -> None:
    """On an account of several sellers, the one whose money came last is as good as any other."""
    with paid.parts.begin() as session:
        listed = [ListedMovement("txn_early", type_, source, -1190, 1500, "eur", START)]
        keep_movements(session, account_id=paid.account_id, listed=listed)
        assert book_movements(session, account_id=paid.account_id, now=START, most=10)[0] == 0


def test_the_fee_of_a_dispute_is_its_sellers_and_not_whose_money_came_last(paid: Company) -> None:
    (charge,) = paid.witness.charges()
    paid.witness.call("POST", "disputes", {"charge": charge.charge_ref})
    paid.settle()
    other = another_seller(paid)
    movements.sweep(paid.parts)
    with paid.parts.begin() as session:
        # The newest payment of the account is another seller's.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                """INSERT INTO billing.payment SELECT (p).* FROM
                   (SELECT jsonb_populate_record(p, jsonb_build_object(
                        'id', CAST(:id AS uuid), 'seller_id', CAST(:seller AS uuid), 'charge_ref', 'ch_theirs',
                        'attempt_no', 9)) AS p
                    FROM billing.payment p) AS t"""
            ),
            {"id": str(UUID(int=2**128 - 1)), "seller": str(other)},
        )
        session.execute(text("UPDATE billing.provider_movement SET booked_at = NULL, seller_id = NULL"))
    with paid.parts.begin() as session:
        book_movements(session, account_id=paid.account_id, now=START, most=10)
    with paid.begin() as session:
        whose = session.scalars(select(ProviderMovement.seller_id).filter_by(type="adjustment")).all()
    assert whose == [paid.seller_id]


def test_a_worker_that_has_read_less_far_than_another_takes_nothing_of_that_back(acme: Company) -> None:
    for hours, noted in ((2, 2), (1, 2), (3, 3)):
        movements._note_read(acme.parts, acme.account_id, START + timedelta(hours=hours))
        with acme.begin() as session:
            account = session.get_one(ProviderAccount, acme.account_id)
            assert account.movements_read_to == START + timedelta(hours=noted)


def test_what_the_balance_showed_later_than_promised_is_found_by_the_days_comparing(paid: Company) -> None:
    """Its hours were read before it was listed: no reading comes back to them."""
    movements.sweep(paid.parts)
    paid.set_clock(START + timedelta(hours=4))
    movements.sweep(paid.parts)
    forget(
        paid,
        "DELETE FROM billing.provider_movement",
        f"DELETE FROM billing.posting WHERE amount_minor IN ({FEE}, -{FEE})",
        "DELETE FROM billing.ledger_entry WHERE kind = 'provider_fee'",
    )
    paid.set_clock(START + timedelta(hours=8))
    assert movements.sweep(paid.parts) == 0
    assert compare(paid) == []
    paid.set_clock(START + timedelta(hours=12))
    assert movements.sweep(paid.parts) == 1
    assert paid.account("provider_fees") == FEE


def test_what_moved_before_anything_of_ours_is_left_alone_by_it(paid: Company) -> None:
    """Other software may have used the account for years."""
    movements.sweep(paid.parts)
    paid.set_clock(START - timedelta(days=40))
    by_card = {"payment_method": "pm_card_visa", "allowed_payment_method_types[0]": "card", "confirm": "true"}
    in_the_dashboard(paid, "payment_intents", amount="500", currency="eur", **by_card)
    paid.settle()
    paid.set_clock(START + timedelta(hours=8))
    reconciliation.reconcile(paid.parts, since=START - timedelta(days=60))
    with paid.begin() as session:
        assert len(session.scalars(select(ProviderMovement)).all()) == 1
