"""What customers are told: each thing once, as an event and as a mail, and never why a bank suspects them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from billing.flows import notices
from billing.sandbox.postbox import Postbox
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company
from tests.flows.telling import DAY, TOPICS, failing, rows, told, with_mail


def test_a_customer_hears_of_each_failed_try_and_of_the_end_once(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    assert notices.send(acme.parts) == 1
    for days in (3, 8, 15):
        acme.set_clock(START + days * DAY)
        acme.settle()
        notices.send(acme.parts)
        acme.settle()
    assert told(acme) == ["payment_failed", "payment_failed", "payment_failed", "collection_ended"]
    assert notices.send(acme.parts) == 0
    assert {row.status for row in rows(acme)} == {"sent"}
    assert len(box.messages) == 4
    first, last = box.messages[0], box.messages[-1]
    assert first["To"] == "a1@example.com"
    assert "11,90" in first["Subject"]
    body = first.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "3. Februar 2026" in body
    assert "Visa •••• 9995" in body
    assert "https://pay.acme.example/pay/" in body
    assert "beendet" in last["Subject"]
    (_, payload), *_ = acme.told("invoice.payment_failed")
    assert payload["next_try_at"] == "2026-02-03T00:00:00Z"
    assert payload["amount_minor"] == 1190
    (_, payload) = acme.told("invoice.collection_ended")[0]
    assert payload["final"] == "cancel"


@pytest.mark.parametrize(
    ("method", "need", "words"),
    [
        ("pm_card_authenticationRequired", "authenticate", "bestätigen"),
        ("pm_card_chargeDeclinedExpiredCard", "card_data", "abgelaufen"),
        ("pm_card_visa_chargeDeclinedLostCard", "new_method", "andere Karte"),
        ("pm_card_chargeDeclinedFraudulent", "new_method", "andere Karte"),
        (None, "new_method", "andere Karte"),
    ],
)
def test_what_only_the_customer_can_mend_is_asked_for_once_with_a_link(
    acme: Company, box: Postbox, method: str | None, need: str, words: str
) -> None:
    with_mail(acme, box)
    failing(acme, method)
    acme.set_clock(START + 3 * DAY)
    acme.settle()
    notices.send(acme.parts)
    assert told(acme) == ["action_needed"]
    (_, payload) = acme.told("invoice.action_needed")[0]
    assert payload["need"] == need
    (message,) = box.messages
    body = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert words in body
    assert "https://pay.acme.example/pay/" in body


def test_of_suspected_fraud_neither_event_nor_row_nor_mail_says_a_word(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme, "pm_card_chargeDeclinedFraudulent")
    notices.send(acme.parts)
    said = [json.dumps(payload) for _, payload in acme.told(*TOPICS)]
    (message,) = box.messages
    said += [json.dumps(row.facts) for row in rows(acme)]
    said += [message["Subject"], *(message.get_body((kind,)).get_content() for kind in ("plain", "html"))]  # type: ignore[union-attr]
    assert len(said) == 5
    assert all("Karte" in body for body in said[-2:]), "what is sent is folded and in German; here it can be read"
    words = ("fraud", "declin", "betrug", "betrüg", "verdacht", "missbrauch", "abgelehnt")
    assert not [(word, each) for each in said for word in words if word in each.lower()]


def test_who_was_told_of_a_failing_hears_of_the_recovery_and_others_hear_nothing(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    profile = failing(acme)
    acme.customer("a2")
    acme.subscribe("a2", "s2")
    acme.settle()
    notices.send(acme.parts)
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    acme.settle()
    notices.send(acme.parts)
    assert told(acme) == ["payment_failed", "recovered"]
    assert [message["To"] for message in box.messages] == ["a1@example.com", "a1@example.com"]
    assert "erhalten" in box.messages[1]["Subject"]


def test_a_method_that_came_late_recovers_what_was_never_tried(acme: Company) -> None:
    profile = failing(acme, None)
    acme.set_clock(START + DAY)
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    assert told(acme) == ["action_needed", "recovered"]


def test_a_failing_that_is_settled_before_its_mail_leaves_is_not_told_by_mail(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    profile = failing(acme)
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    notices.send(acme.parts)
    assert [(row.kind, row.status, row.reason) for row in rows(acme)] == [
        ("payment_failed", "dropped", "settled_meanwhile"),
        ("payment_recovered", "sent", None),
    ]


def test_without_a_mail_server_the_events_are_all_and_nothing_waits(acme: Company) -> None:
    failing(acme)
    assert notices.send(acme.parts) == 0
    assert told(acme) == ["payment_failed"]
    assert [(row.status, row.reason) for row in rows(acme)] == [("dropped", "no_mail_server")]


def test_a_debit_is_announced_by_mail_with_day_amount_mandate_and_creditor(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    acme.customer("a1", method="pm_sandbox_sepa")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET creditor_id = 'DE98ZZZ09999999999'"))
        session.execute(text("UPDATE billing.payment_method SET mandate_reference = 'MNDT-7'"))
    acme.subscribe("a1", "s1")
    acme.settle()
    assert notices.send(acme.parts) == 1
    (letter,) = box.messages
    assert "Am 14. Februar 2026 buchen wir 11,90" in letter["Subject"]
    body = " ".join(letter.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
    for word in ("MNDT-7", "DE98ZZZ09999999999", "IBAN •••• 3201", "https://pay.acme.example/pay/"):
        assert word in body
    (_, payload), *_ = acme.told("invoice.debit_upcoming")
    assert (payload["mandate_reference"], payload["debit_at"]) == ("MNDT-7", "2026-02-14T00:00:00Z")


@pytest.fixture
def nord(database_url: str) -> Iterator[Company]:
    with company(database_url, policy=SellerPolicy(dunning_hours=None, upcoming_days=7)) as made:
        yield made


def test_a_renewal_is_announced_once_a_period_with_its_day_and_amount(nord: Company, box: Postbox) -> None:
    with_mail(nord, box)
    nord.customer("a1", country="FR")
    nord.subscribe("a1", "s1", quantity=2)
    nord.settle()
    renews = START.replace(month=2, day=28)
    nord.set_clock(renews - 8 * DAY)
    assert notices.announce(nord.parts) == 0
    nord.set_clock(renews - 7 * DAY)
    assert (notices.announce(nord.parts), notices.announce(nord.parts)) == (1, 0)
    nord.set_clock(renews - 6 * DAY)
    assert notices.announce(nord.parts) == 0
    notices.send(nord.parts)
    ((_, payload),) = nord.told("subscription.renewal_upcoming")
    assert (payload["renews_at"], payload["amount_minor"]) == ("2026-02-28T00:00:00Z", 2400)
    (message,) = box.messages
    assert "28 février 2026" in message["Subject"]
    assert "24,00" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    nord.set_clock(renews)
    nord.settle()
    nord.set_clock(renews + 24 * DAY)
    assert notices.announce(nord.parts) == 1


def test_one_that_can_not_be_previewed_keeps_no_other_from_being_told(nord: Company) -> None:
    broken = nord.customer("a1")
    nord.customer("a2")
    nord.subscribe("a1", "s1")
    nord.subscribe("a2", "s2")
    nord.settle()
    with nord.parts.begin() as session:
        session.execute(text("DELETE FROM billing.data_key WHERE owner_id = :id"), {"id": broken})
    nord.set_clock(START.replace(month=2, day=21))
    assert notices.announce(nord.parts) == 2
    told_of = {payload["amount_minor"] for _, payload in nord.told("subscription.renewal_upcoming")}
    assert told_of == {None, 1190}


def test_what_ends_or_comes_round_too_soon_is_not_announced(nord: Company) -> None:
    nord.price("weekly", 500, interval_unit="week")
    nord.customer("a1")
    nord.subscribe("a1", "s1", price="weekly")
    nord.settle()
    assert notices.announce(nord.parts) == 0


def test_a_renewal_that_was_called_off_is_not_told_by_mail(nord: Company, box: Postbox) -> None:
    with_mail(nord, box)
    nord.customer("a1")
    subscription = nord.subscribe("a1", "s1")
    nord.settle()
    nord.set_clock(START.replace(month=2, day=21))
    notices.announce(nord.parts)
    with nord.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription SET cancel_at = next_due_at WHERE id = :id"), {"id": subscription}
        )
    notices.send(nord.parts)
    assert [(row.status, row.reason) for row in rows(nord)] == [("dropped", "does_not_renew")]


def test_one_renewal_that_can_not_be_opened_is_announced_without_its_amount(nord: Company, box: Postbox) -> None:
    with_mail(nord, box)
    broken = nord.customer("a1", country="FR")
    nord.customer("a2")
    nord.subscribe("a1", "s1")
    nord.subscribe("a2", "s2")
    nord.settle()
    with nord.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE billing.profile SET personal = decode('00ff', 'hex') WHERE id = :id"), {"id": broken}
        )
    nord.set_clock(START.replace(month=2, day=28) - 7 * DAY)
    assert notices.announce(nord.parts) == 2
    notices.send(nord.parts)
    assert [message["To"] for message in box.messages] == ["a2@example.com"]
