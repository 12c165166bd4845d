"""How mails leave: one at a time, tried again, once each, and a person's work where they can't."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import text

from billing.commands.notice.close import close_notice
from billing.flows import notices, working
from billing.flows.order import Order
from billing.kernel import failpoints
from billing.kernel.errors import Stale
from billing.kernel.status import NoticeStatus
from billing.sandbox.postbox import Postbox
from tests.flows.company import START, Company
from tests.flows.telling import DAY, failing, in_time, rows, two_failing, with_mail


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
    two_failing(acme)
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
    two_failing(acme)
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
    profile = two_failing(acme)
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(broken), {"id": profile})
    assert notices.send(acme.parts) == 2
    assert [message["To"] for message in box.messages] == ["a2@example.com"]
    (item,) = [each for each in acme.work_items() if each.kind == "notice_not_sent"]
    assert (item.profile_id, item.safe_actions) == (profile, ["retry", "park", "discard"])
    assert told in str(item.error)


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
