"""A dispute that is lost and then won after all, at an account that charges one currency and keeps another.

What the win takes back is what the loss had booked, whatever of it was owed or lost.
"""

from __future__ import annotations

from sqlalchemy import text

from billing.flows import disputing, refunding
from billing.flows.external_money import mark_paid
from billing.flows.order import Order
from billing.models import Invoice
from tests.flows.company import Company
from tests.flows.disputes import end, open_dispute, show, the_dispute
from tests.flows.settling import PRICE, at, in_dollars, off, read_balance, stands

ORDER = Order(actor="mara", reason="the bank's letter")
EXCHANGE, LOST = "exchange_differences", "write_off"
EUR, LATER = 1071, 1012
"""What 11.90 USD are at 0.90 and at 0.85."""


def _with_refund(acme: Company) -> Invoice:
    """4.00 of 11.90 USD went back, 3.60 of 10.71 EUR."""
    (invoice,) = in_dollars(acme, "a1")
    refunding.refund(acme.parts, invoice.id, amount_minor=400)
    read_balance(acme)
    return invoice


def _then_won(acme: Company, ref: str) -> None:
    at(acme, 0.85)
    end(acme, ref, "won")
    read_balance(acme)


def test_what_had_gone_back_before_the_loss_is_lost_no_more(acme: Company) -> None:
    _with_refund(acme)
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    read_balance(acme)
    assert stands(acme, LOST, "receivable") == {(LOST, "usd"): 400, ("receivable", "usd"): PRICE - 400}
    _then_won(acme, ref)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): PRICE - 400,
        (EXCHANGE, "eur"): -EUR + 360 + EUR - LATER,
    }
    assert off(acme) == []


def test_of_what_had_all_gone_back_nothing_is_lost_but_by_exchange(acme: Company) -> None:
    (invoice,) = in_dollars(acme, "a1")
    refunding.refund(acme.parts, invoice.id)
    read_balance(acme)
    ref = open_dispute(acme, amount=PRICE)
    end(acme, ref, "lost")
    read_balance(acme)
    assert stands(acme, LOST, "receivable") == {(LOST, "usd"): PRICE}
    _then_won(acme, ref)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {(EXCHANGE, "eur"): EUR - LATER}
    assert off(acme) == []


def test_a_loss_of_the_release_before_is_taken_back_as_that_had_booked_it(acme: Company) -> None:
    """It booked as it still does for a cardholder's own currency: what was lost beyond the debt went to exchange."""
    _with_refund(acme)
    ref = open_dispute(acme)
    _in_currency(acme, "gbp")
    show(acme, ref, status="lost")
    _in_currency(acme, "usd")
    assert stands(acme, LOST, "receivable") == {("receivable", "usd"): PRICE - 400}
    _then_won(acme, ref)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): PRICE - 400,
        (EXCHANGE, "eur"): -EUR + 360 + EUR - LATER,
    }
    assert off(acme) == []


def test_a_loss_of_the_release_before_covers_no_refund_that_fails_later(acme: Company) -> None:
    """Nothing was booked as lost, so nothing of it could be settled: a person decides, as they did then."""
    (invoice,) = in_dollars(acme, "a1")
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refunding.refund(acme.parts, invoice.id, amount_minor=400)
    read_balance(acme)
    ref = open_dispute(acme)
    _in_currency(acme, "gbp")
    show(acme, ref, status="lost")
    _in_currency(acme, "usd")
    (refund,) = acme.refunds()
    acme.witness.call("POST", f"refunds/{refund.refund_ref}", {"status": "failed"})
    read_balance(acme)
    assert acme.refunds()[0].settled_as is None
    assert stands(acme, LOST, "refunds_in_flight") == {("refunds_in_flight", "usd"): -400}


def _in_currency(acme: Company, currency: str) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.dispute SET currency = :currency"), {"currency": currency})


def test_who_paid_again_meanwhile_has_it_as_credit(acme: Company) -> None:
    invoice = _with_refund(acme)
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    mark_paid(acme.parts, invoice.id, amount_minor=PRICE - 400, reference="by bank")
    _then_won(acme, ref)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes", "customer_credit", "external_money") == {
        (EXCHANGE, "usd"): PRICE - 400,
        (EXCHANGE, "eur"): -EUR + 360 + EUR - LATER,
        ("customer_credit", "usd"): -(PRICE - 400),
        ("external_money", "usd"): PRICE - 400,
    }
    assert off(acme) == []


def test_who_paid_a_part_of_what_was_given_up_has_that_part_and_the_rest_waits_for_a_person(acme: Company) -> None:
    """3.95 of the disputed 11.90: of 10.71 EUR that were taken that is 3.56, though only 7.90 had been owed."""
    invoice = _with_refund(acme)
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    mark_paid(acme.parts, invoice.id, amount_minor=395, reference="by bank")
    _then_won(acme, ref)
    assert stands(acme, LOST, "receivable", "disputes", "customer_credit") == {
        (LOST, "usd"): PRICE - 395,
        ("customer_credit", "usd"): -395,
        ("disputes", "eur"): -LATER + 356,
    }
    assert [each.kind for each in acme.work_items() if each.closed_at is None] == ["dispute_won_late"]
    assert off(acme) == []


def test_a_dispute_of_a_part_takes_and_gives_back_that_part(acme: Company) -> None:
    in_dollars(acme, "a1")
    ref = open_dispute(acme, amount=500)
    end(acme, ref, "lost")
    read_balance(acme)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): PRICE - 500,
        (EXCHANGE, "eur"): -EUR + 450,
        ("receivable", "usd"): 500,
    }
    _then_won(acme, ref)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): PRICE,
        (EXCHANGE, "eur"): -EUR + 450 - 425,
    }
    assert off(acme) == []


def test_what_comes_back_of_a_loss_in_parts_is_exchange_until_it_is_won(acme: Company) -> None:
    """How much of the debt a part is worth in another currency is not known; once all is back, all is as it was."""
    _with_refund(acme)
    ref = open_dispute(acme)
    show(acme, ref, status="lost", reinstated_minor=300)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): -400,
        (EXCHANGE, "eur"): 360 - 300,
        (LOST, "usd"): 400,
        ("receivable", "usd"): PRICE - 400,
    }
    show(acme, ref, status="lost", reinstated_minor=500)
    show(acme, ref, status="won", reinstated_minor=EUR)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): PRICE - 400,
        (EXCHANGE, "eur"): -EUR + 360,
    }


def test_an_appeal_that_takes_it_again_and_loses_it_again_books_one_loss(acme: Company) -> None:
    _with_refund(acme)
    ref = open_dispute(acme)
    show(acme, ref, status="lost")
    show(acme, ref, status="won", reinstated_minor=LATER)
    show(acme, ref, status="lost", withdrawn_minor=EUR + 1100, reinstated_minor=LATER)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): -400,
        (EXCHANGE, "eur"): 360 - LATER + 1100,
        (LOST, "usd"): 400,
        ("receivable", "usd"): PRICE - 400,
    }
    show(acme, ref, status="won", withdrawn_minor=EUR + 1100, reinstated_minor=LATER + 1090)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): PRICE - 400,
        (EXCHANGE, "eur"): 360 - LATER + 1100 - 1090,
    }


def test_a_third_currency_of_the_cardholder_is_of_all_that_is_left_and_comes_back_so(acme: Company) -> None:
    _with_refund(acme)
    ref = open_dispute(acme, amount=950, currency="gbp")
    end(acme, ref, "lost")
    read_balance(acme)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "eur"): 360,
        ("receivable", "usd"): PRICE - 400,
    }
    assert off(acme) == []
    _then_won(acme, ref)
    assert stands(acme, EXCHANGE, LOST, "receivable", "disputes") == {
        (EXCHANGE, "usd"): PRICE - 400,
        (EXCHANGE, "eur"): -EUR + 360 + EUR - LATER,
    }
    assert off(acme) == []


def test_an_inquiry_takes_nothing_and_its_chargeback_goes_by_the_rate_of_its_day(acme: Company) -> None:
    in_dollars(acme, "a1")
    ref = open_dispute(acme, inquiry=True)
    assert (the_dispute(acme).moved_currency, stands(acme, "disputes")) == (None, {})
    at(acme, 0.95)
    acme.witness.call("POST", f"disputes/{ref}/escalate", {})
    acme.settle()
    assert stands(acme, "disputes") == {("disputes", "eur"): 1131}
    end(acme, ref, "lost")
    read_balance(acme)
    assert stands(acme, EXCHANGE, "receivable", "disputes") == {
        (EXCHANGE, "eur"): -EUR + 1131,
        ("receivable", "usd"): PRICE,
    }
    assert off(acme) == []
