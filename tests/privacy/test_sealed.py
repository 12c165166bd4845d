"""Sealed values open in their own place under their own key, and nowhere else."""

from __future__ import annotations

import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.ids import new_id
from billing.privacy.sealed import SealBroken, seal, unseal

KEY = os.urandom(32)
ROW = new_id()


@given(st.binary(max_size=300), st.uuids())
def test_what_is_sealed_for_a_place_opens_there(plain: bytes, row: UUID) -> None:
    sealed = seal(KEY, plain, table="profile", row=row, column="personal")
    assert len(sealed) == len(plain) + 29
    assert unseal(KEY, sealed, table="profile", row=row, column="personal") == plain


def test_the_same_value_never_looks_the_same() -> None:
    made = {seal(KEY, b"Ada", table="profile", row=ROW, column="personal") for _ in range(50)}
    assert len(made) == 50


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [("invoice", ROW, "personal"), ("profile", new_id(), "personal"), ("profile", ROW, "parties")],
)
def test_a_value_moved_elsewhere_does_not_open(table: str, row: UUID, column: str) -> None:
    sealed = seal(KEY, b"Ada", table="profile", row=ROW, column="personal")
    with pytest.raises(SealBroken):
        unseal(KEY, sealed, table=table, row=row, column=column)


def test_another_key_does_not_open_it() -> None:
    sealed = seal(KEY, b"Ada", table="profile", row=ROW, column="personal")
    with pytest.raises(SealBroken):
        unseal(os.urandom(32), sealed, table="profile", row=ROW, column="personal")


@given(st.integers(0, 31), st.integers(1, 255))
def test_a_single_altered_byte_is_noticed(place: int, flip: int) -> None:
    sealed = bytearray(seal(KEY, b"Ada", table="profile", row=ROW, column="personal"))
    sealed[place] ^= flip
    with pytest.raises(SealBroken):
        unseal(KEY, bytes(sealed), table="profile", row=ROW, column="personal")


@pytest.mark.parametrize("broken", [b"", b"\x01", b"\x01" + bytes(27), b"\x02" + bytes(60)])
def test_what_was_never_sealed_is_refused_without_showing_it(broken: bytes) -> None:
    with pytest.raises(SealBroken) as caught:
        unseal(KEY, broken, table="profile", row=ROW, column="personal")
    assert "profile.personal" in str(caught.value)
