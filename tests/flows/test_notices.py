"""What customers are told: each thing once, as an event and as a mail, and never why a bank suspects them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.notice.close import close_notice
from billing.flows import notices, working
from billing.flows.order import Order
from billing.kernel import failpoints
from billing.kernel.errors import Stale
from billing.kernel.status import NoticeStatus
from billing.models import Notice
from billing.sandbox.postbox import Postbox, postbox
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company

FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
DAY = timedelta(days=1)
TOPICS = (
    "invoice.payment_failed", "invoice.action_needed", "invoice.recovered", "invoice.collection_ended",
    "subscription.renewal_upcoming",
)  # fmt: skip


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as made:
        yield made


def with_mail(acme: Company, box: Postbox) -> None:
    mail = {
        "smtp_url": box.url, "smtp_from": "billing@acme.example", "billing_public_url": "https://pay.acme.example",
    }  # fmt: skip
    acme.parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update=mail))


def told(acme: Company) -> list[str]:
    return [topic.partition(".")[2] for topic, _ in acme.told(*TOPICS)]


def rows(acme: Company) -> list[Notice]:
    with acme.begin() as session:
        return list(session.scalars(select(Notice).order_by(Notice.id)))


def failing(acme: Company, method: str | None = FUNDS, **given: Any) -> UUID:
    profile = acme.customer("a1", method=method, **given)
    acme.subscribe("a1", "s1")
    acme.settle()
    return profile


def in_time(acme: Company) -> None:
    """The next tries of mails are due: their technical wait is over."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.notice SET next_try_at = clock_timestamp() WHERE status = 'waiting'"))


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
    said += [json.dumps(row.facts) for row in rows(acme)] + [message.as_string() for message in box.messages]
    assert len(said) == 3
    assert not any("fraud" in each.lower() or "declin" in each.lower() for each in said)


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


def test_a_mail_that_is_not_taken_is_tried_again_and_then_a_persons_work(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    box.answers["RCPT"] = "451 <a1@example.com> later"
    tries = len(acme.parts.settings.mail_back_off_s)
    for _ in range(tries):
        assert notices.send(acme.parts) == 1
        assert notices.send(acme.parts) == 0
        in_time(acme)
    (row,) = rows(acme)
    assert (row.status, row.reason, row.tries) == ("waiting", "smtp_451", tries)
    notices.send(acme.parts)
    (row,) = rows(acme)
    assert (row.status, row.reason, row.next_try_at) == ("failed", "smtp_451", None)
    (item,) = acme.work_items()
    assert (item.kind, item.subject_id, item.error) == ("notice_not_sent", row.id, "smtp_451")
    box.answers.clear()
    working.act(acme.parts, item.id, action=working.Action.RETRY, order=Order(actor="anna", reason="it is mended"))
    assert notices.send(acme.parts) == 1
    assert ([row.status for row in rows(acme)], acme.work_items()[0].status) == (["sent"], "resolved")
    assert len(box.messages) == 1


def test_a_server_that_is_away_is_asked_once_a_round_and_everything_waits(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    acme.customer("a2", method=FUNDS)
    acme.subscribe("a2", "s2")
    acme.settle()
    box.deaf = True
    assert notices.send(acme.parts) == 1
    assert len(box.messages) == 1
    assert [(row.status, row.tries) for row in rows(acme)] == [("waiting", 1), ("waiting", 0)]
    box.deaf = False
    in_time(acme)
    notices.send(acme.parts)
    assert [row.status for row in rows(acme)] == ["sent", "sent"]


def test_a_mail_that_waits_for_a_slow_server_is_the_only_one_that_is_leased(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    acme.customer("a2", method=FUNDS)
    acme.subscribe("a2", "s2")
    acme.settle()
    free = "SELECT count(*) FROM billing.notice WHERE status = 'waiting' AND next_try_at <= clock_timestamp()"
    seen = []

    def arrived(message: object) -> None:
        with acme.begin() as session:
            seen.append(session.scalar(text(free)))

    box.on_message = arrived
    notices.send(acme.parts)
    assert seen == [1, 0], "however long the first takes, the other is nobody's yet"


def test_a_mail_that_ends_each_process_that_sends_it_is_a_persons_work(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.notice SET tries = :most"), {"most": len(acme.parts.settings.mail_back_off_s) + 1}
        )
    notices.send(acme.parts)
    assert [(row.status, row.reason) for row in rows(acme)] == [("failed", "its_process_died")]
    assert box.messages == []


def test_a_mail_that_is_too_large_for_the_server_says_nothing_of_others(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    box.answers["MAIL"] = "552 message size exceeds fixed limit"
    notices.send(acme.parts)
    assert [(row.status, row.reason) for row in rows(acme)] == [("failed", "smtp_552")]
    assert [item.kind for item in acme.work_items()] == ["notice_not_sent"]


def test_an_address_that_is_refused_for_good_is_a_persons_work_at_once(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    box.answers["RCPT"] = "550 <a1@example.com> unknown"
    notices.send(acme.parts)
    assert [(row.status, row.reason) for row in rows(acme)] == [("failed", "smtp_550")]
    assert [item.error for item in acme.work_items()] == ["smtp_550"]


def test_a_server_that_refuses_us_is_one_work_item_until_it_takes_mail_again(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    box.answers["MAIL"] = "530 sign in first"
    notices.send(acme.parts)
    in_time(acme)
    notices.send(acme.parts)
    (item,) = acme.work_items()
    assert (item.kind, item.tries, item.status) == ("mail_server_refuses", 2, "open")
    box.answers.clear()
    in_time(acme)
    notices.send(acme.parts)
    assert acme.work_items()[0].status == "resolved"
    assert len(box.messages) == 1


def test_a_worker_that_dies_after_the_server_took_it_sends_it_again_under_the_same_id(
    acme: Company, box: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mail(acme, box)
    failing(acme)
    monkeypatch.setenv("BILLING_FAILPOINTS", "notice.taken_by_server=raise")
    failpoints.read_environment()
    with pytest.raises(failpoints.FailpointError):
        notices.send(acme.parts)
    monkeypatch.delenv("BILLING_FAILPOINTS")
    failpoints.read_environment()
    assert notices.send(acme.parts) == 0
    in_time(acme)
    assert notices.send(acme.parts) == 1
    first, second = box.messages
    assert first["Message-ID"] == second["Message-ID"] == f"<{rows(acme)[0].id}@acme.example>"


def test_who_comes_late_writes_nothing(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    notices.send(acme.parts)
    (row,) = rows(acme)
    late = {"notice_id": row.id, "token": row.token, "status": NoticeStatus.FAILED, "now": START, "wall": START}
    with pytest.raises(Stale), acme.parts.begin() as session:
        close_notice(session, **late)  # type: ignore[arg-type]
    assert [each.status for each in rows(acme)] == ["sent"]


def test_an_erased_or_mailless_customer_gets_no_mail(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    profile = failing(acme)
    with acme.parts.begin() as session:
        session.execute(
            text("DELETE FROM billing.data_key WHERE purpose = 'profile' AND owner_id = :id"), {"id": profile}
        )
    notices.send(acme.parts)
    assert [(row.status, row.reason) for row in rows(acme)] == [("dropped", "no_address")]
    assert box.messages == []


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("UPDATE billing.profile SET personal = decode('00ff', 'hex') WHERE id = :id", "SealBroken"),
        (
            "UPDATE billing.data_key SET master_id = 'lost' WHERE purpose = 'profile' AND owner_id = :id",
            "add the master key with the id lost",
        ),
    ],
)
def test_one_that_can_not_be_opened_is_a_persons_work_and_the_others_leave(
    acme: Company, box: Postbox, broken: str, told: str
) -> None:
    with_mail(acme, box)
    profile = failing(acme)
    acme.customer("a2", method=FUNDS)
    acme.subscribe("a2", "s2")
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(broken), {"id": profile})
    assert notices.send(acme.parts) == 2
    assert [message["To"] for message in box.messages] == ["a2@example.com"]
    (item,) = [each for each in acme.work_items() if each.kind == "notice_not_sent"]
    assert (item.profile_id, item.safe_actions) == (profile, ["retry", "park", "discard"])
    assert told in str(item.error)


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


def test_what_could_not_leave_for_three_days_is_no_news(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    failing(acme)
    acme.set_clock(START + 4 * DAY)
    notices.send(acme.parts)
    assert [(row.status, row.reason) for row in rows(acme)] == [("dropped", "too_old")]


def test_neither_address_nor_name_stands_in_a_log_an_error_or_a_row(
    acme: Company, box: Postbox, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with_mail(acme, box)
    failing(acme)
    with caplog.at_level(logging.DEBUG):
        for answer in ("451 <a1@example.com> later", "550 <a1@example.com> never"):
            box.answers["RCPT"] = answer
            in_time(acme)
            notices.send(acme.parts)
    kept = caplog.text + "".join(capfd.readouterr())
    with acme.begin() as session:
        for table in ("notice", "outbox", "work_item"):
            kept += str(session.execute(text(f"SELECT t::text FROM billing.{table} t")).scalars().all())
    assert "smtp_550" in kept
    assert "a1@example.com" not in kept
    assert "Person a1" not in kept
