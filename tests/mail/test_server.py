"""Handing mail over: what is taken, what may be taken later, what never; and never a word of the server's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from billing.mail.letter import Letter
from billing.mail.server import MailLater, MailRefused, MailServer, MailServerAway, Undeliverable
from billing.sandbox.postbox import Postbox, postbox

ID = UUID("0192f0c0-0000-7000-8000-000000000001")
AT = datetime(2026, 2, 3, 8, 30, tzinfo=UTC)
LETTER = Letter("de", "Ihre Zahlung über 10,00 €", "Guten Tag Käthe", "<p>Guten Tag Käthe</p>")
TO = "kaethe@example.org"


@pytest.fixture
def box() -> Iterator[Postbox]:
    with postbox() as made:
        yield made


def hand_over(box: Postbox, *, to: str = TO, from_name: str = "Nordlicht GmbH", user: str = "") -> None:
    url = box.url.replace("//", f"//{user}@" if user else "//")
    server = MailServer.of(url, password="secret" if user else None, sender="billing@example.com", timeout_s=2)
    server.send(LETTER, to=to, from_name=from_name, id_=ID, at=AT)


def test_a_letter_arrives_as_text_and_html_with_an_id_that_a_repeat_shares(box: Postbox) -> None:
    hand_over(box)
    hand_over(box)
    first, second = box.messages
    assert first["Message-ID"] == second["Message-ID"] == f"<{ID}@example.com>"
    assert (first["From"], first["To"]) == ("Nordlicht GmbH <billing@example.com>", TO)
    assert (first["Subject"], first["Content-Language"], first["Auto-Submitted"]) == (
        LETTER.subject, "de", "auto-generated",
    )  # fmt: skip
    assert first["Date"].datetime == AT
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content().strip(), html.get_content().strip()) == (LETTER.text, LETTER.html)
    assert box.recipients == [TO, TO]


def test_a_letter_is_seven_bits_wide_for_a_server_that_has_not_said_it_takes_eight(box: Postbox) -> None:
    """RFC 6152: else a server may refuse it, or a relay write it anew, which breaks its signature."""
    hand_over(box)
    (message,) = box.messages
    bodies = [part for part in message.walk() if not part.is_multipart()]
    assert len(bodies) == 2
    assert {part["Content-Transfer-Encoding"] for part in bodies} <= {"quoted-printable", "base64", "7bit"}
    assert message.as_bytes().isascii()


@pytest.mark.parametrize(
    ("command", "answer", "failure", "code"),
    [
        ("RCPT", f"550 5.1.1 <{TO}> unknown", Undeliverable, "smtp_550"),
        ("RCPT", f"451 4.2.1 <{TO}> try later", MailLater, "smtp_451"),
        ("DATA", "554 looks like spam", Undeliverable, "smtp_554"),
        ("DATA", "452 disk full", MailLater, "smtp_452"),
        ("MAIL", "550 not your sender", MailRefused, "smtp_550"),
        ("MAIL", "421 too busy", MailLater, "smtp_421"),
    ],
)
def test_an_answer_is_told_by_its_code_alone(
    box: Postbox, command: str, answer: str, failure: type[Exception], code: str
) -> None:
    box.answers[command] = answer
    with pytest.raises(failure) as raised:
        hand_over(box)
    assert type(raised.value) is failure
    assert (str(raised.value), raised.value.__cause__) == (code, None)
    assert raised.value.__suppress_context__
    assert box.messages == []


def test_a_server_that_is_away_or_falls_silent_may_take_it_later(box: Postbox) -> None:
    box.deaf = True
    with pytest.raises(MailServerAway):
        hand_over(box)
    away = MailServer.of("smtp://127.0.0.1:9", password=None, sender="a@example.com", timeout_s=1)
    with pytest.raises(MailServerAway):
        away.send(LETTER, to=TO, from_name="N", id_=ID, at=AT)


def test_a_server_elsewhere_that_can_not_encrypt_gets_neither_password_nor_letter(
    box: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.mail.server.LOOPBACK", ())
    with pytest.raises(MailRefused, match="smtp_not_supported"):
        hand_over(box, user="mailer")
    assert box.messages == []


@pytest.mark.parametrize("to", ["", "nobody", "a@example.org, b@example.org", "a@example.org\r\nBcc: c@example.org"])
def test_what_is_no_one_address_gets_no_letter(box: Postbox, to: str) -> None:
    with pytest.raises(Undeliverable, match="bad_address"):
        hand_over(box, to=to)
    assert box.messages == []


@pytest.mark.parametrize(
    ("to", "reached"),
    [
        ("kaethe@müller.example", "kaethe@xn--mller-kva.example"),
        ("kaethe@straße.example", "kaethe@xn--strae-oqa.example"),
        ("kaethe@BÜCHER.example", "kaethe@xn--bcher-kva.example"),
    ],
)
def test_a_domain_in_another_script_is_reached_by_the_name_that_the_dns_has_for_it(
    box: Postbox, to: str, reached: str
) -> None:
    hand_over(box, to=to)
    assert box.recipients == [reached]


def test_a_domain_that_the_dns_can_not_have_gets_no_letter_and_is_not_the_servers_fault(box: Postbox) -> None:
    with pytest.raises(Undeliverable, match="bad_address"):
        hand_over(box, to="kaethe@-ü.example")
    assert box.messages == []


def test_a_mailbox_in_another_script_is_reached_through_a_server_that_takes_it(box: Postbox) -> None:
    """RFC 6531; the domain is written as the DNS has it all the same."""
    box.extensions = ["8BITMIME", "SMTPUTF8"]
    hand_over(box, to="käthe@müller.example")
    (message,) = box.messages
    assert box.recipients == ["käthe@xn--mller-kva.example"]
    assert message["To"] == "käthe@xn--mller-kva.example"
    assert message["Subject"] == LETTER.subject
    bodies = [part for part in message.walk() if not part.is_multipart()]
    assert {part["Content-Transfer-Encoding"] for part in bodies} <= {"quoted-printable", "base64", "7bit"}


def test_a_mailbox_in_another_script_gets_no_letter_from_another_server_which_others_still_use(box: Postbox) -> None:
    with pytest.raises(Undeliverable, match="smtputf8_missing"):
        hand_over(box, to="käthe@example.org")
    assert (box.recipients, box.messages) == ([], [])
    hand_over(box)
    assert box.recipients == [TO]


def test_a_sellers_name_may_hold_anything(box: Postbox) -> None:
    hand_over(box, from_name='Müller "Söhne", Ltd.\r\nBcc: x@example.org')
    (message,) = box.messages
    assert message["Bcc"] is None
    assert message["From"].addresses[0].addr_spec == "billing@example.com"


def test_a_server_shows_no_password() -> None:
    server = MailServer.of("smtps://mailer@mail.example.com", password="hunter22", sender="a@b.example", timeout_s=1)
    assert "hunter22" not in repr(server)
    assert (server.host, server.port, server.user) == ("mail.example.com", 465, "mailer")
