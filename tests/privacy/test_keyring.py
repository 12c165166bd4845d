"""The keyring: read with clear faults, wraps for one row, survives rotation, and never shows a key."""

from __future__ import annotations

import base64
import pickle
import secrets

import pytest

from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.privacy.keyring import Keyring, Wrapped, generate
from billing.privacy.sealed import SealBroken

DATA_KEY = secrets.token_bytes(32)
ROW = new_id()


def unwrap(keyring: Keyring, wrapped: Wrapped) -> bytes:
    return keyring.unwrap(master_id=wrapped.master_id, wrapped=wrapped.wrapped, row=ROW)


def test_a_generated_key_is_a_valid_setting_and_never_the_same() -> None:
    first, second = generate(), generate()
    assert first != second
    assert Keyring.from_setting(first).master_ids != Keyring.from_setting(second).master_ids


def test_a_data_key_is_wrapped_and_unwrapped() -> None:
    keyring = Keyring.from_setting(generate())
    wrapped = keyring.wrap(DATA_KEY, row=ROW)
    assert DATA_KEY not in wrapped.wrapped
    assert unwrap(keyring, wrapped) == DATA_KEY


def test_a_wrapped_key_moved_to_another_row_does_not_open() -> None:
    keyring = Keyring.from_setting(generate())
    wrapped = keyring.wrap(DATA_KEY, row=ROW)
    with pytest.raises(SealBroken):
        keyring.unwrap(master_id=wrapped.master_id, wrapped=wrapped.wrapped, row=new_id())


def test_the_newest_master_key_wraps_and_the_older_ones_still_open() -> None:
    old, new = f"2025:{generate()}", f"2026:{generate()}"
    before = Keyring.from_setting(old).wrap(DATA_KEY, row=ROW)
    both = Keyring.from_setting(f"{new}, {old}")
    assert both.master_ids == ("2026", "2025")
    assert unwrap(both, before) == DATA_KEY
    assert both.wrap(DATA_KEY, row=ROW).master_id == "2026"


def test_rewrapping_moves_to_the_newest_key_once_and_keeps_the_data_key() -> None:
    old, new = f"2025:{generate()}", f"2026:{generate()}"
    before = Keyring.from_setting(old).wrap(DATA_KEY, row=ROW)
    both = Keyring.from_setting(f"{new},{old}")
    after = both.rewrap(master_id=before.master_id, wrapped=before.wrapped, row=ROW)
    assert after.master_id == "2026"
    assert both.rewrap(master_id=after.master_id, wrapped=after.wrapped, row=ROW) == after
    assert unwrap(Keyring.from_setting(new), after) == DATA_KEY


def test_a_missing_master_key_is_named_by_its_id() -> None:
    wrapped = Keyring.from_setting(f"2025:{generate()}").wrap(DATA_KEY, row=ROW)
    with pytest.raises(Refused) as caught:
        unwrap(Keyring.from_setting(generate()), wrapped)
    assert caught.value.code == "master_key_missing"
    assert "2025" in caught.value.faults[0].mend


def test_a_key_without_an_id_keeps_its_derived_one_when_a_newer_is_put_before_it() -> None:
    bare = generate()
    (alone,) = Keyring.from_setting(bare).master_ids
    assert Keyring.from_setting(f"{generate()},{bare}").master_ids[1] == alone


def test_both_alphabets_of_base64_are_read() -> None:
    key = secrets.token_bytes(32)
    plain, url_safe = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()
    assert Keyring.from_setting(plain).master_ids == Keyring.from_setting(url_safe).master_ids


def simple() -> str:
    return base64.b64encode(b"a" * 32).decode()


def short() -> str:
    return base64.b64encode(secrets.token_bytes(16)).decode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "secret_key_missing"),
        (" , ", "secret_key_missing"),
        ("correct horse battery staple", "secret_key_not_base64"),
        (short(), "secret_key_wrong_length"),
        (simple(), "secret_key_too_simple"),
        (f"a b:{generate()}", "secret_key_bad_id"),
        (f":{generate()}", "secret_key_bad_id"),
        (f"a:{generate()},a:{generate()}", "secret_key_id_twice"),
    ],
    ids=["empty", "blank", "words", "short", "simple", "id with a space", "empty id", "one id twice"],
)
def test_a_wrong_setting_is_refused_by_a_code(text: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        Keyring.from_setting(text)
    assert caught.value.code == code


def test_all_faults_are_told_by_place_and_none_shows_a_value() -> None:
    values = ["no base64 here", short(), simple()]
    with pytest.raises(Refused) as caught:
        Keyring.from_setting(",".join([*values, generate()]))
    assert [fault.field for fault in caught.value.faults] == [f"BILLING_SECRET_KEY[{place}]" for place in (1, 2, 3)]
    assert not any(value in str(caught.value) for value in values)


def test_each_purpose_has_a_key_of_its_own_and_older_masters_give_theirs() -> None:
    old, new = f"old:{generate()}", f"new:{generate()}"
    both = Keyring.from_setting(f"{new},{old}")
    assert both.derive("email index") != both.derive("account index")
    assert both.derive_all("email index") == (
        Keyring.from_setting(new).derive("email index"),
        Keyring.from_setting(old).derive("email index"),
    )


def test_a_keyring_shows_no_key_and_does_not_travel() -> None:
    text = generate()
    keyring = Keyring.from_setting(f"2026:{text}")
    assert repr(keyring) == "Keyring(2026)"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(keyring)
