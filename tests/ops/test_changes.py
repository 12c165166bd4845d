"""`billing subscription`, `invoice`, `refund`, `profile`: what operators order, once tried and once done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.models import CreditBalance, ExternalPayment, Profile, Refund
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """One customer who has paid for `s1`, and one who could not pay for `s2`; a price `more` and a coupon `half`."""
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        acme = ready.acme
        acme.price("more", 3000)
        acme.price("a:2", 9000, interval_unit="year")
        acme.coupon("half", 50)
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.customer("a2", method="pm_card_visa_chargeDeclinedInsufficientFunds")
        acme.subscribe("a2", "s2")
        acme.settle()
        yield ready


def number_of(office: Office, status: str) -> str:
    return str(next(each.number for each in office.acme.invoices() if each.status == status))


def tried_then_done(office: Office, *args: str) -> str:
    """What the order says; tried first, which changes nothing and says the same."""
    before = office.fingerprint()
    tried = office.ok(*args, "--dry-run", *WHY)
    assert office.fingerprint() == before
    told = office.ok(*args, *WHY)
    assert tried == f"dry run: {told}"
    return told


def items(office: Office, code: str) -> list[tuple[str, int | None]]:
    return [(row["price"], row["quantity"]) for row in office.read("subscription", "show", code)["items"]]


def test_other_items_are_given_at_once_prorated_or_invoiced(office: Office) -> None:
    told = tried_then_done(office, "subscription", "change", "s1", "--item", "basic:3", "--item", "more")
    assert "wait" in told
    assert items(office, "s1") == [("basic", 3), ("more", 1)]
    change = ("subscription", "change", "s1", "--item", "more:2", "--proration", "invoice_now")
    assert "issued ACME-" in tried_then_done(office, *change)
    (first, second) = office.trail()
    assert (first.action, first.actor, first.reason) == ("subscription.change.now", "ada", WHY[1])
    assert first.before is not None
    assert first.after is not None
    assert first.before["items"] == [{"price": "basic", "quantity": 1}]
    assert first.after["items"] == [{"price": "basic", "quantity": 3}, {"price": "more", "quantity": 1}]
    assert second.action == "subscription.change.now"


def test_a_change_at_the_end_of_the_period_and_a_code_that_ends_like_a_quantity(office: Office) -> None:
    change = ("subscription", "change", "s1", "--item", "a:2:1", "--when", "period_end")
    assert "at the next boundary, 2026-02-28T00:00:00Z" in tried_then_done(office, *change)
    assert items(office, "s1") == [("basic", 1)]
    for item, code in (("basic:0", "out_of_range"), ("none", "price_not_found"), ("a", "price_not_found")):
        refused = office.run("subscription", "change", "s1", "--item", item, *WHY)
        assert (refused.exit_code, code in refused.stderr) == (3, True)
    assert office.run("subscription", "change", "s1", *WHY).exit_code == 2
    assert office.run("subscription", "change", "s1", "--item", "basic:" + "9" * 30, *WHY).exit_code == 2


def test_a_cancel_gives_back_what_is_unused_or_is_taken_back(office: Office) -> None:
    office.ok("subscription", "cancel", "s1", "--when", "period_end", *WHY)
    assert "it is active, and it goes on at the next boundary, 2026-02-28T00:00:00Z" in tried_then_done(
        office, "subscription", "uncancel", "s1"
    )
    again = office.run("subscription", "uncancel", "s1", *WHY)
    assert (again.exit_code, "not_canceling" in again.stderr) == (3, True)
    assert office.run("subscription", "cancel", "s1", "--when", "period_end", "--prorate", *WHY).exit_code == 2
    told = tried_then_done(office, "subscription", "cancel", "s1", "--when", "now", "--prorate")
    assert "issued ACME-CN-000001 of 11.90 EUR" in told, "what comes of it is told, also when it is only tried"


def test_pause_and_resume_and_a_coupon(office: Office) -> None:
    assert "paused" in tried_then_done(office, "subscription", "pause", "s1")
    assert "already_paused" in office.run("subscription", "pause", "s1", *WHY).stderr
    assert "it is active" in tried_then_done(office, "subscription", "resume", "s1")
    assert "not_paused" in office.run("subscription", "resume", "s1", *WHY).stderr
    assert "half lowers" in tried_then_done(office, "subscription", "coupon", "s1", "half")
    assert "coupon_not_found" in office.run("subscription", "coupon", "s1", "none", *WHY).stderr
    assert [row.action for row in office.trail()] == [
        "subscription.pause",
        "subscription.resume",
        "subscription.coupon",
    ]
    last = office.trail()[-1]
    assert (last.before or {})["coupon"] is None
    assert (last.after or {})["coupon"] == "half"


@pytest.mark.parametrize(
    ("verb", "status", "said"),
    [
        ("void", "void", "takes it back"),
        ("mark-uncollectible", "uncollectible", "11.90 EUR are written off"),
        ("mark-paid", "paid", "11.90 EUR came another way"),
    ],
)
def test_an_open_invoice_is_corrected_and_the_intent_canceled(
    office: Office, verb: str, status: str, said: str
) -> None:
    number = number_of(office, "open")
    before = list(office.acme.witness.intents())
    assert "dry run" in office.ok("invoice", verb, number, "--dry-run", *WHY)
    assert list(office.acme.witness.intents()) == before
    assert said in tried_then_done(office, "invoice", verb, number)
    invoice = next(each for each in office.acme.invoices() if each.number == number)
    assert (invoice.status, invoice.amount_remaining_minor == 0) == (status, status != "uncollectible")
    assert [each.status for each in office.acme.witness.intents()].count("canceled") == 1
    again = office.run("invoice", verb, number, *WHY)
    assert (again.exit_code, "invoice_not_open" in again.stderr) == (3, True)
    (row,) = office.trail()
    assert (row.action, row.subject_id) == (f"invoice.{verb.replace('-', '_')}", invoice.id)
    assert row.before == {"status": "open", "amount_remaining_minor": 1190}
    assert (row.after or {})["status"] == status
    office.settle()
    assert not office.items()


def test_an_open_invoice_is_paid_out_of_the_balance(office: Office) -> None:
    invoice = next(each for each in office.acme.invoices() if each.status == "open")
    number = str(invoice.number)
    with office.acme.begin() as session:
        account = session.get_one(Profile, invoice.profile_id).account_id
    empty = office.run("invoice", "apply-credit", number, *WHY)
    assert (empty.exit_code, "credit_exceeded" in empty.stderr) == (3, True)
    assert "the balance holds 0.00 EUR, and 11.90 EUR are owed" in empty.stderr
    office.ok("profile", "credit", account, "--amount", "1200", "--currency", "eur", *WHY)
    told = tried_then_done(office, "invoice", "apply-credit", number, "--amount", "190")
    assert "1.90 EUR of the balance pay it; 10.00 EUR are still owed" in told
    office.settle()  # Its intent was ended, and the provider tells of that.
    assert "10.00 EUR of the balance pay it; it is paid" in tried_then_done(office, "invoice", "apply-credit", number)
    again = office.run("invoice", "apply-credit", number, *WHY)
    assert (again.exit_code, "invoice_not_open" in again.stderr) == (3, True)
    assert [row.action for row in office.trail()][1:] == ["invoice.apply_credit"] * 2


def test_an_order_without_a_reason_asks_the_provider_nothing(office: Office) -> None:
    before = list(office.acme.witness.intents())
    refused = office.run("invoice", "void", number_of(office, "open"), "--reason", " ", "--by", "ada")
    assert (refused.exit_code, "reason_missing" in refused.stderr) == (3, True)
    assert list(office.acme.witness.intents()) == before


def test_a_written_off_invoice_may_be_paid_after_all_with_its_reference(office: Office) -> None:
    number = number_of(office, "open")
    office.ok("invoice", "mark-uncollectible", number, *WHY)
    refused = office.run("invoice", "mark-paid", number, "--reference", "4242 4242 4242 4242", *WHY)
    assert (refused.exit_code, "card_number" in refused.stderr) == (3, True)
    office.ok("invoice", "mark-paid", number, "--reference", "statement 7", *WHY)
    with office.acme.begin() as session:
        assert session.scalars(select(ExternalPayment.reference)).all() == ["statement 7"]


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_an_amount_below_one_is_refused_as_that_and_not_as_too_much(office: Office, amount: str) -> None:
    number = number_of(office, "paid")
    orders: tuple[tuple[str, ...], ...] = (
        ("refund", number),
        ("invoice", "credit", number),
        ("invoice", "apply-credit", number),
        ("profile", "pay-out", "a1", "--currency", "eur"),
    )
    for order in orders:
        refused = office.run(*order, "--amount", amount, *WHY)
        assert (order, refused.exit_code) == (order, 3)
        assert "amount: out_of_range — give a whole number from 1 to" in refused.stderr


def test_what_was_paid_goes_back_in_parts_and_never_more(office: Office) -> None:
    number = number_of(office, "paid")
    told = tried_then_done(office, "refund", number, "--amount", "500")
    assert "5.00 EUR go back; credit note ACME-CN-000001" in told
    assert "6.90 EUR go back" in tried_then_done(office, "refund", number)
    for more in ((), ("--amount", "1")):
        refused = office.run("refund", number, *more, *WHY)
        assert (refused.exit_code, "refund_exceeds_paid" in refused.stderr) == (3, True)
    with office.acme.begin() as session:
        assert session.scalars(select(Refund.amount_minor).order_by(Refund.id)).all() == [500, 690]
    rows = office.trail()
    assert [row.action for row in rows] == ["invoice.refund"] * 2
    assert rows[1].before == {"amount_refunded_minor": 500}
    assert rows[1].after == {"amount_refunded_minor": 1190, "credit_note": "ACME-CN-000002"}


def test_credit_is_given_and_a_charge_uses_it_up(office: Office) -> None:
    told = tried_then_done(office, "profile", "credit", "a1", "--amount", "300", "--currency", "eur")
    assert "the balance is 3.00 EUR" in told
    in_advance = ("profile", "credit", "a1", "--amount", "100", "--currency", "eur", "--prepaid")
    assert "the balance is 4.00 EUR" in tried_then_done(office, *in_advance)
    assert (office.acme.account("promotional_credit"), office.acme.account("external_money")) == (300, 100)
    charge = ("profile", "charge", "a1", "--amount", "1000", "--currency", "eur", "--description", "Training")
    told = tried_then_done(office, *charge)
    assert "of 11.90 EUR; 7.90 EUR are due" in told
    assert "of 10.00 EUR; 10.00 EUR are due" in tried_then_done(office, *charge, "--no-tax")
    for wrong, code in (
        (("profile", "credit", "a1", "--amount", "0", "--currency", "eur"), "out_of_range"),
        (("profile", "credit", "a1", "--amount", "1", "--currency", "EUR"), "unknown_currency"),
        ((*charge, "--tax-rate", "none"), "tax_rate_not_found"),
        (("profile", "charge", "nobody", *charge[3:]), "profile_not_found"),
    ):
        refused = office.run(*wrong, *WHY)
        assert (refused.exit_code, code in refused.stderr) == (3, True)
    office.settle()
    assert {each.status for each in office.acme.invoices()} == {"paid", "open"}
    with office.acme.begin() as session:
        assert session.scalars(select(CreditBalance.amount_minor)).all() == [0]
    assert [row.action for row in office.trail()] == ["profile.credit"] * 2 + ["profile.charge"] * 2
    given, paid, *_ = [row.after for row in office.trail()]
    assert given == {"currency": "eur", "balance_minor": 300, "prepaid": False}
    assert paid == {"currency": "eur", "balance_minor": 400, "prepaid": True}


def test_a_change_is_previewed_then_applied_as_shown(office: Office) -> None:
    before = office.fingerprint()
    change = ("subscription", "preview", "s1", "--item", "basic:3", "--proration", "invoice_now")
    shown = office.ok(*change)
    assert "At once, an invoice:" in shown
    assert "The next invoice, at " in shown
    seen = office.read(*change)
    assert office.fingerprint() == before
    assert [line["kind"] for line in seen["documents"][0]["lines"]] == ["proration_credit", "proration_charge"]
    told = tried_then_done(office, "subscription", "apply", seen["token"])
    assert "issued ACME-" in told
    issued = office.acme.invoices()[-1]
    assert issued.total_minor == seen["documents"][0]["total_minor"]


def test_a_cancel_is_previewed_too(office: Office) -> None:
    assert "At once, a credit note:" in office.ok("subscription", "preview", "s1", "--cancel", "--prorate")
    assert office.run("subscription", "preview", "s1").exit_code == 2
