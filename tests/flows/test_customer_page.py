"""The customer's page: a card that was given becomes what charges use, once; a replaced invoice leads on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import pytest
import requests
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.flows import customer_page, links
from billing.kernel.errors import Refused
from billing.models import PaymentMethod
from billing.queries.payment_method import default_method
from billing.queries.profile import lock_profile
from billing.sandbox.embedded.processes import wait_until
from tests.flows.company import Company
from tests.flows.test_start import WAITING, somebody_waits

DECLINED, DECLINED_TOO = "pm_card_chargeCustomerFail", "pm_card_visa_chargeDeclinedInsufficientFunds"


def _token(acme: Company, profile_id: UUID) -> str:
    with acme.parts.begin() as session:
        return links.profile_link(acme.parts, session, profile_id).rpartition("/")[2]


def _give(acme: Company, token: str, card: str) -> UUID:
    method_id = _typed(acme, token, card)
    customer_page.finish_card(acme.parts, token, method_id)
    return method_id


def _typed(acme: Company, token: str, card: str) -> UUID:
    """What the customer's browser does with the provider's form."""
    begun = customer_page.begin_card(acme.parts, token, text_version="page-1-en")
    answer = requests.post(
        f"{acme.witness_url}/v1/setup_intents/{begun.setup_ref}/confirm",
        data={"payment_method": card},
        headers={"Authorization": "Bearer sk_test_company"},
        timeout=5,
    )
    answer.raise_for_status()
    return begun.method_id


def _default(acme: Company, profile_id: UUID) -> UUID | None:
    with acme.begin() as session:
        method = default_method(session, profile_id)
        return method.id if method is not None else None


@pytest.fixture
def owing(acme: Company) -> UUID:
    profile_id = acme.customer("one", method=None)
    acme.subscribe("one", "one-basic")
    acme.settle()
    return profile_id


def test_a_new_card_is_what_charges_use(acme: Company, owing: UUID) -> None:
    token = _token(acme, owing)
    _give(acme, token, DECLINED)
    second = _give(acme, token, DECLINED_TOO)
    assert _default(acme, owing) == second


def test_cards_that_were_given_are_not_tried_in_turn_by_finishing_them_again(acme: Company, owing: UUID) -> None:
    token = _token(acme, owing)
    cards = [_give(acme, token, DECLINED), _give(acme, token, DECLINED_TOO)]
    acme.settle()
    tried = len(acme.payments())
    for _ in range(3):
        for card in cards:
            customer_page.finish_card(acme.parts, token, card)
            acme.settle()
    assert _default(acme, owing) == cards[1]
    assert len(acme.payments()) == tried


def test_a_finish_whose_answer_was_lost_still_makes_the_newest_card_the_default(acme: Company, owing: UUID) -> None:
    token = _token(acme, owing)
    first, second = _give(acme, token, DECLINED), _give(acme, token, DECLINED_TOO)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_method SET is_default = FALSE WHERE id = :id"), {"id": second})
        session.execute(text("UPDATE billing.payment_method SET is_default = TRUE WHERE id = :id"), {"id": first})
    customer_page.finish_card(acme.parts, token, second)
    assert _default(acme, owing) == second


def test_of_two_cards_that_are_finished_at_once_the_newer_one_is_the_default(
    acme: Company, owing: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = _token(acme, owing)
    older, newer = _typed(acme, token, DECLINED), _typed(acme, token, DECLINED_TOO)
    real, looked = customer_page.newest_active, list[Future[None]]()

    def meanwhile(session: Session, profile_id: UUID) -> PaymentMethod | None:
        newest = real(session, profile_id)
        if not looked:
            looked.append(pool.submit(customer_page.finish_card, acme.parts, token, newer))
            assert wait_until(lambda: looked[0].done() or somebody_waits(acme), seconds=10)
        return newest

    monkeypatch.setattr(customer_page, "newest_active", meanwhile)
    with ThreadPoolExecutor(1) as pool:
        customer_page.finish_card(acme.parts, token, older)
        looked[0].result(timeout=15)
    assert _default(acme, owing) == newer


def test_a_removed_card_is_not_taken_for_saved(acme: Company, owing: UUID) -> None:
    token = _token(acme, owing)
    card = _give(acme, token, DECLINED)
    with acme.parts.begin() as session:
        session.get_one(PaymentMethod, card).is_default = False
        session.flush()
        session.get_one(PaymentMethod, card).status = "detached"
    with pytest.raises(Refused) as refused:
        customer_page.finish_card(acme.parts, token, card)
    assert refused.value.code == "payment_method_not_active"


def test_cards_that_are_begun_at_once_are_counted_one_after_the_other(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tests stolen cards does so in many windows."""
    monkeypatch.setattr(customer_page, "MOST_TRIES", 1)
    profile = acme.customer("a1", method=None)
    token = _token(acme, profile)

    def begin() -> str:
        try:
            customer_page.begin_card(acme.parts, token, text_version="page-1-en")
        except Refused as refused:
            return refused.code
        return "begun"

    def both_wait() -> bool:
        with acme.parts.begin() as session:
            return session.scalar(WAITING) == 2

    with ThreadPoolExecutor(2) as pool, acme.parts.begin() as session:
        lock_profile(session, profile)
        begun = [pool.submit(begin) for _ in range(2)]
        assert wait_until(both_wait, seconds=10)
        session.rollback()
        assert sorted(each.result(timeout=15) for each in begun) == ["begun", "too_many_tries"]
