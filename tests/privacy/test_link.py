"""Links: they open one thing until a moment, under any key that is still known, and an altered one opens nothing."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.privacy.keyring import Keyring, generate
from billing.privacy.link import KEY_PURPOSE, Link, LinkKind, genuine, read, sign
from billing.privacy.redaction import REDACTED, redact_text

KEY = os.urandom(32)
WALL = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINK = Link(LinkKind.INVOICE, new_id(), 3, WALL + timedelta(days=30))


def _code(token: str, *, wall: datetime = WALL) -> str:
    with pytest.raises(Refused) as refused:
        read([KEY], token, wall=wall)
    return refused.value.code


def test_a_link_says_what_was_signed() -> None:
    assert read([KEY], sign(KEY, LINK), wall=WALL) == LINK


def test_a_link_opens_until_its_end_and_not_from_it_on() -> None:
    token, second = sign(KEY, LINK), timedelta(seconds=1)
    assert read([KEY], token, wall=LINK.expires_at - second) == LINK
    for wall in (LINK.expires_at, LINK.expires_at + second, LINK.expires_at + timedelta(days=3650)):
        assert _code(token, wall=wall) == "link_expired"
    assert genuine([KEY], token) == LINK


def test_an_expired_link_that_was_altered_is_none_of_ours() -> None:
    assert _code(_resealed(replace(LINK, kind=LinkKind.PROFILE)), wall=LINK.expires_at) == "link_invalid"


def test_after_a_rotation_older_links_still_open() -> None:
    assert read([os.urandom(32), KEY], sign(KEY, LINK), wall=WALL) == LINK


def test_under_another_key_it_opens_nothing() -> None:
    assert _code(sign(os.urandom(32), LINK)) == "link_invalid"


def test_the_key_ring_of_another_installation_and_a_key_for_another_purpose_open_nothing() -> None:
    ring = generate()
    token = sign(Keyring.from_setting(ring).derive(KEY_PURPOSE), LINK)
    assert read(Keyring.from_setting(f"{generate()},{ring}").derive_all(KEY_PURPOSE), token, wall=WALL) == LINK
    for keys in (
        Keyring.from_setting(generate()).derive_all(KEY_PURPOSE),
        Keyring.from_setting(ring).derive_all("another purpose"),
        [],
    ):
        with pytest.raises(Refused) as refused:
            read(keys, token, wall=WALL)
        assert refused.value.code == "link_invalid"


@pytest.mark.parametrize(
    "other",
    [
        {"kind": LinkKind.PROFILE},
        {"subject": new_id()},
        {"epoch": LINK.epoch + 1},
        {"expires_at": LINK.expires_at + timedelta(seconds=1)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_nothing_that_a_link_says_can_be_exchanged_under_its_seal(other: dict[str, Any]) -> None:
    forged = replace(LINK, **other)
    assert read([KEY], sign(KEY, forged), wall=WALL) == forged
    assert _code(_resealed(forged)) == "link_invalid"


@pytest.mark.parametrize("kind", [0, 3, 255])
def test_a_kind_that_there_is_not_opens_nothing(kind: int) -> None:
    raw = bytearray(_raw(sign(KEY, LINK)))
    raw[1] = kind
    assert _code(_token(bytes(raw))) == "link_invalid"


def test_each_bit_counts() -> None:
    raw = _raw(sign(KEY, LINK))
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        assert _code(_token(bytes(flipped))) == "link_invalid"


def test_a_link_has_one_spelling_and_one_length() -> None:
    token = sign(KEY, LINK)
    for spelled in (token + "=", token + "A", token[:-1], token + "==", " " + token, token.swapcase(), token + "\n"):
        assert _code(spelled) == "link_invalid"


def _resealed(forged: Link) -> str:
    """What another link would say, with the seal of ours."""
    return _token(_raw(sign(KEY, forged))[:-16] + _raw(sign(KEY, LINK))[-16:])


def _raw(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def _token(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("token", ["", "x", "é" * 62, "A" * 62, "A" * 5000, "=" * 62, "..%2f", "\x00" * 62])
def test_nonsense_is_refused_quietly(token: str) -> None:
    assert _code(token) == "link_invalid"


def test_a_link_fits_a_line_of_a_mail() -> None:
    assert len(sign(KEY, LINK)) <= 64


@pytest.mark.parametrize("kind", LinkKind)
def test_a_link_is_taken_out_of_whatever_is_logged(kind: LinkKind) -> None:
    told = "Client disconnected while serving /pay/{}/state"
    tokens = [sign(os.urandom(32), replace(LINK, kind=kind)) for _ in range(50)]
    assert {redact_text(told.format(token)) for token in tokens} == {told.format(REDACTED)}
