"""Links: they open one thing until a moment, under any key that is still known, and an altered one opens nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.privacy.link import Link, LinkKind, read, sign

KEY = os.urandom(32)
WALL = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINK = Link(LinkKind.INVOICE, new_id(), 3, WALL + timedelta(days=30))


def _code(token: str, *, wall: datetime = WALL) -> str:
    with pytest.raises(Refused) as refused:
        read([KEY], token, wall=wall)
    return refused.value.code


def test_a_link_says_what_was_signed() -> None:
    assert read([KEY], sign(KEY, LINK), wall=WALL) == LINK


def test_a_link_expires() -> None:
    assert _code(sign(KEY, LINK), wall=LINK.expires_at) == "link_expired"


def test_after_a_rotation_older_links_still_open() -> None:
    assert read([os.urandom(32), KEY], sign(KEY, LINK), wall=WALL) == LINK


def test_under_another_key_it_opens_nothing() -> None:
    assert _code(sign(os.urandom(32), LINK)) == "link_invalid"


@pytest.mark.parametrize("place", range(0, 62, 3))
def test_one_changed_character_spoils_it(place: int) -> None:
    token = sign(KEY, LINK)
    other = "A" if token[place] != "A" else "B"
    assert _code(token[:place] + other + token[place + 1 :]) == "link_invalid"


@pytest.mark.parametrize("token", ["", "x", "é" * 62, "A" * 62, "A" * 5000, "=" * 62, "..%2f", "\x00" * 62])
def test_nonsense_is_refused_quietly(token: str) -> None:
    assert _code(token) == "link_invalid"


def test_the_purpose_is_part_of_what_is_signed() -> None:
    assert sign(KEY, LINK) != sign(KEY, replace(LINK, kind=LinkKind.PROFILE))


def test_a_link_fits_a_line_of_a_mail() -> None:
    assert len(sign(KEY, LINK)) <= 64
