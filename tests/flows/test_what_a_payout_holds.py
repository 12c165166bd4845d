"""Each movement of the balance names the payout that took it to the bank, once the provider can list them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from billing.commands.movement.assign import assign_movements
from billing.flows import metered, movements, payouts, refunding
from billing.kernel import failpoints
from billing.kernel.errors import Refused
from billing.models import Payout, ProviderMovement
from billing.providers.stripe import listing
from billing.queries.books.payout import payout_report
from billing.queries.books.report import Report
from billing.queries.operations.payouts import list_payouts
from billing.queries.payouts import sellers_of
from tests.flows.balances import FEE
from tests.flows.company import START, Company
from tests.flows.sharing import another_seller


@pytest.fixture
def paid(acme: Company) -> Company:
    """Two customers paid 11.90 each, 1.19 of the first went back; two hours later nobody tells of anything."""
    for account in ("a1", "a2"):
        acme.customer(account)
        acme.subscribe(account, f"of-{account}")
    acme.settle()
    refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=119)
    acme.settle()
    movements.sweep(acme.parts)
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.set_clock(START + timedelta(hours=2))
    return acme


def _report(acme: Company, payout: str, seller_id: UUID | None = None) -> Report:
    with acme.begin() as session:
        return payout_report(session, payout=payout, seller_id=seller_id)


def _held(acme: Company, payout: str) -> list[tuple[str, str | None, str | None, int, int]]:
    names = ("type", "invoice", "account_id", "amount_minor", "fee_minor")
    return [tuple(row[name] for name in names) for row in _report(acme, payout).rows]


def _next_hour(acme: Company, *, budget_s: float = 60.0) -> None:
    acme.set_clock(acme.now() + timedelta(hours=1, minutes=1))
    movements.sweep(acme.parts, budget_s=budget_s)


def _killed_once_it_is_listed(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour whose worker dies with a payout's movements noted, and not yet whose they are."""
    monkeypatch.setenv("BILLING_FAILPOINTS", "payouts.listed=raise")
    failpoints.read_environment()
    with pytest.raises(failpoints.FailpointError):
        _next_hour(acme)
    monkeypatch.delenv("BILLING_FAILPOINTS")
    failpoints.read_environment()


def _payout(acme: Company) -> Payout:
    with acme.begin() as session:
        return session.scalars(select(Payout)).one()


WHOLE = [
    ("charge", "ACME-000001", "a1", 1190, FEE),
    ("charge", "ACME-000002", "a2", 1190, FEE),
    ("refund", "ACME-000001", "a1", -119, 0),
]


def test_a_payout_is_told_to_the_cent_movement_by_movement(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    assert sorted(_held(paid, payout["id"])) == WHOLE
    report = _report(paid, payout["id"])
    assert sum(row["net_minor"] for row in report.rows) == payout["amount"] == 2 * (1190 - FEE) - 119
    (tie,) = report.ties
    assert (tie.account, tie.report_minor, tie.difference_minor) == ("payouts_in_transit", payout["amount"], 0)
    assert paid.violations() == ()


def test_what_is_listed_only_later_is_booked_at_once_and_told_then(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {"reconciliation_status": "in_progress"})
    movements.sweep(paid.parts)
    assert paid.account("payouts_in_transit") == payout["amount"]
    assert _held(paid, payout["id"]) == [("not_listed", None, None, payout["amount"], 0)]
    _next_hour(paid)
    assert _payout(paid).listed_at is None
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "reconciled"})
    _next_hour(paid)
    assert sorted(_held(paid, payout["id"])) == WHOLE
    assert not _report(paid, payout["id"]).broken


def test_the_event_that_it_can_be_listed_is_heard(paid: Company) -> None:
    paid.witness.clear_faults()
    (payout,) = paid.witness.call("POST", "payouts", {"reconciliation_status": "in_progress"})
    paid.settle()
    assert [row[0] for row in _held(paid, payout["id"])] == ["not_listed"]
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "reconciled"})
    paid.settle()
    assert sorted(_held(paid, payout["id"])) == WHOLE


def test_among_several_sellers_it_is_shared_by_what_it_holds_and_not_before(paid: Company) -> None:
    """Booked before it can be listed, all of it would be the seller's whose money came last."""
    other = _half_is_of_another_seller(paid)
    (payout,) = paid.witness.call("POST", "payouts", {"reconciliation_status": "in_progress"})
    movements.sweep(paid.parts)
    assert paid.account("payouts_in_transit") == 0
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "reconciled"})
    _next_hour(paid)
    shares = {share["seller_id"]: share["amount_minor"] for share in _payout(paid).shares}
    assert shares == {str(paid.seller_id): 1190 - FEE - 119, str(other): 1190 - FEE}
    assert [row["type"] for row in _report(paid, payout["id"], other).rows] == ["charge"]
    assert not _report(paid, payout["id"]).broken


def test_among_several_sellers_one_that_holds_more_than_a_task_can_list_is_listed_in_parts_and_shared_then(
    paid: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(listing.pages.__kwdefaults__, "limit", 1)
    monkeypatch.setattr(metered, "PAGE", 1)
    other = _half_is_of_another_seller(paid)
    (payout,) = paid.witness.call("POST", "payouts", {})
    known = []
    _next_hour(paid, budget_s=0)
    while _payout(paid).listed_at is None:
        assert (paid.account("payouts_in_transit"), _told(paid)) == (0, [])
        known.append(_assigned(paid))
        assert len(known) < 9
        movements.sweep(paid.parts, budget_s=0)
    assert known == sorted(known)
    assert known[:2] == [0, 1], "the first that is listed is the payout's own movement"
    assert _told(paid) == [payout["id"]]
    shares = {share["seller_id"]: share["amount_minor"] for share in _payout(paid).shares}
    assert shares == {str(paid.seller_id): 1190 - FEE - 119, str(other): 1190 - FEE}
    assert not _report(paid, payout["id"]).broken
    assert _asked_for_lists(paid) == len(WHOLE) + 2, "its own movement, and the one that ended the list"


def test_one_whose_sellers_a_killed_worker_had_not_noted_is_shared_by_the_next(
    paid: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _half_is_of_another_seller(paid)
    (payout,) = paid.witness.call("POST", "payouts", {})
    _killed_once_it_is_listed(paid, monkeypatch)
    assert _payout(paid).shares == []
    movements.sweep(paid.parts)
    shares = {share["seller_id"]: share["amount_minor"] for share in _payout(paid).shares}
    assert shares == {str(paid.seller_id): 1190 - FEE - 119, str(other): 1190 - FEE}
    assert paid.account("payouts_in_transit") == payout["amount"]


def test_what_came_back_of_a_payout_whose_sellers_are_not_known_yet_is_nobodys_until_they_are(
    paid: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told of in between, the second one would be all of the seller's whose money came last."""
    other = _half_is_of_another_seller(paid)
    (first,) = paid.witness.call("POST", "payouts", {})
    _killed_once_it_is_listed(paid, monkeypatch)
    paid.witness.call("POST", f"payouts/{first['id']}", {"status": "failed"})
    (second,) = paid.witness.call("POST", "payouts", {})
    paid.set_clock(paid.now() + timedelta(hours=1, minutes=1))
    assert movements.read(paid.parts, paid.account_id)[1]
    assert not payouts.settle_payout(paid.parts, paid.account_id, second["id"])
    assert paid.account("payouts_in_transit") == 0
    movements.sweep(paid.parts)
    with paid.begin() as session:
        rows = session.scalars(select(Payout).order_by(Payout.id)).all()
    shares = {str(paid.seller_id): 1190 - FEE - 119, str(other): 1190 - FEE}
    assert [{each["seller_id"]: each["amount_minor"] for each in row.shares} for row in rows] == [shares, shares]


def test_one_of_several_sellers_that_ends_before_it_can_be_listed_is_booked(paid: Company) -> None:
    _half_is_of_another_seller(paid)
    (payout,) = paid.witness.call("POST", "payouts", {"reconciliation_status": "in_progress"})
    _next_hour(paid)
    assert paid.account("payouts_in_transit") == 0
    paid.witness.call("POST", f"payouts/{payout['id']}", {"status": "paid"})
    _next_hour(paid)
    assert paid.account("bank") == payout["amount"]


def test_a_payout_from_before_is_asked_about_again(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    with paid.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_movement SET payout_id = NULL"))
        session.execute(text("UPDATE billing.payout SET listed_at = NULL, listed_after = NULL"))
    _next_hour(paid)
    assert sorted(_held(paid, payout["id"])) == WHOLE
    asked = _asked_for_lists(paid)
    _next_hour(paid)
    assert _asked_for_lists(paid) == asked


def test_a_payout_does_not_hold_its_own_movement_though_it_be_listed_with_the_others(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    with paid.parts.begin() as session:
        listed = session.scalars(select(ProviderMovement.balance_ref)).all()
        session.execute(text("UPDATE billing.payout SET listed_at = NULL"))
        assign_movements(session, account_id=paid.account_id, payout_ref=payout["id"], balance_refs=listed)
    assert len(listed) == len(WHOLE) + 1
    assert sorted(_held(paid, payout["id"])) == WHOLE


def test_whose_money_a_payout_holds_is_reckoned_without_its_own_movement(paid: Company) -> None:
    paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    with paid.begin() as session:
        rows = session.scalars(select(ProviderMovement)).all()
        listed = sellers_of(session, account_id=paid.account_id, balance_refs=[row.balance_ref for row in rows])
    held = [row for row in rows if row.type != "payout"]
    assert len(rows) == len(held) + 1
    assert listed == {paid.seller_id: sum(row.amount_minor - row.fee_minor for row in held)}


def test_a_payout_whose_list_has_ended_takes_no_more_movements(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    after = _payout(paid).listed_after
    with paid.parts.begin() as session:
        listed = session.scalars(select(ProviderMovement.balance_ref)).all()
        session.execute(text("UPDATE billing.provider_movement SET payout_id = NULL"))
        session.execute(text("UPDATE billing.payout SET listed_at = clock_timestamp()"))
        assign_movements(session, account_id=paid.account_id, payout_ref=payout["id"], balance_refs=listed)
    assert (_assigned(paid), _payout(paid).listed_after) == (0, after)


def test_a_payout_that_holds_more_than_a_task_can_list_is_listed_in_parts(
    paid: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(listing.pages.__kwdefaults__, "limit", 1)
    monkeypatch.setattr(metered, "PAGE", 1)
    (payout,) = paid.witness.call("POST", "payouts", {})
    known = []
    while not known or _payout(paid).listed_at is None:
        movements.sweep(paid.parts, budget_s=0)
        known.append(sum(kind != "not_listed" for kind, *_ in _held(paid, payout["id"])))
        assert len(known) < 9
    assert known == sorted(known)
    assert known[:2] == [0, 1], "the first that is listed is the payout's own movement"
    assert paid.account("payouts_in_transit") == payout["amount"]
    assert sorted(_held(paid, payout["id"])) == WHOLE
    asked = _asked_for_lists(paid)
    movements.sweep(paid.parts)
    assert _asked_for_lists(paid) == asked


def test_what_a_payout_by_hand_holds_is_nowhere_listed(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {"reconciliation_status": "not_applicable"})
    movements.sweep(paid.parts)
    assert paid.account("payouts_in_transit") == payout["amount"]
    assert _payout(paid).listed_at is not None
    assert _held(paid, payout["id"]) == [("not_listed", None, None, payout["amount"], 0)]


def test_one_made_by_hand_is_booked_once_among_several_sellers_too(paid: Company) -> None:
    """Stripe refuses to list what such a payout holds: it is the seller's whose money came last."""
    _half_is_of_another_seller(paid)
    (payout,) = paid.witness.call("POST", "payouts", {"reconciliation_status": "not_applicable"})
    _next_hour(paid)
    assert _payout(paid).shares == [{"seller_id": str(paid.seller_id), "amount_minor": payout["amount"]}]
    asked = _asked_for_lists(paid)
    _next_hour(paid)
    assert _asked_for_lists(paid) == asked == 0
    assert paid.account("payouts_in_transit") == payout["amount"]


def test_money_that_came_back_is_a_movement_of_the_next_payout(paid: Company) -> None:
    (first,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    paid.witness.call("POST", f"payouts/{first['id']}", {"status": "failed"})
    _next_hour(paid)
    (second,) = paid.witness.call("POST", "payouts", {})
    _next_hour(paid)
    assert _held(paid, second["id"]) == [("payout_failure", None, None, first["amount"], 0)]
    assert sorted(_held(paid, first["id"])) == WHOLE
    assert not _report(paid, second["id"]).broken


def test_a_report_that_differs_from_the_books_says_so(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    with paid.parts.begin() as session:
        session.execute(text("""UPDATE billing.payout SET shares = jsonb_set(shares, '{0,amount_minor}', '1')"""))
    report = _report(paid, payout["id"])
    assert report.broken
    assert [row["type"] for row in report.rows].count("not_listed") == 1


def test_an_unknown_payout_is_refused_and_so_is_anothers(paid: Company) -> None:
    (payout,) = paid.witness.call("POST", "payouts", {})
    movements.sweep(paid.parts)
    other = _half_is_of_another_seller(paid)
    for name, seller in (("po_none", None), (payout["id"], other)):
        with pytest.raises(Refused) as refused:
            _report(paid, name, seller)
        assert refused.value.faults[0].code == "payout_not_found"


def _half_is_of_another_seller(acme: Company) -> UUID:
    """One that shares the provider account: what `a2` paid is theirs."""
    other = another_seller(acme)
    movements.sweep(acme.parts)
    with acme.parts.begin() as session:
        theirs = text(
            """UPDATE billing.provider_movement SET seller_id = :id WHERE source_ref IN
               (SELECT p.charge_ref FROM billing.payment p JOIN billing.profile f ON f.id = p.profile_id
                WHERE f.account_id = 'a2')"""
        )
        session.execute(theirs, {"id": other})
    return other


def _told(acme: Company) -> list[str]:
    with acme.begin() as session:
        return [row["payout_ref"] for row in list_payouts(session).rows]


def _assigned(acme: Company) -> int:
    with acme.begin() as session:
        query = select(func.count()).where(ProviderMovement.payout_id.is_not(None))
        return session.scalars(query).one()


def _asked_for_lists(acme: Company) -> int:
    return sum("payout" in each.params for each in acme.witness.requests())
