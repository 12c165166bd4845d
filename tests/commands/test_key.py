"""Data keys: made once, wrapped at rest, one a profile and one a seller's year."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from billing.commands.key.obtain import document_key, inbox_key, profile_key, profile_keys
from billing.db.session import sessions
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id, new_ids
from billing.models import DataKey
from billing.privacy.keyring import Keyring, generate


def test_a_key_is_made_once_and_read_afterwards(session: Session, keyring: Keyring) -> None:
    profile = new_id()
    key = profile_key(session, keyring, profile_id=profile)
    assert len(key) == 32
    assert profile_key(session, keyring, profile_id=profile) == key
    assert key not in session.scalars(select(DataKey.wrapped)).one()


def test_purposes_and_years_have_keys_of_their_own(session: Session, keyring: Keyring) -> None:
    owner = new_id()
    first, of_2026 = document_key(session, keyring, seller_id=owner, year=2026)
    second, of_2027 = document_key(session, keyring, seller_id=owner, year=2027)
    keys = {of_2026, of_2027, profile_key(session, keyring, profile_id=owner)}
    keys.add(inbox_key(session, keyring, provider_account_id=owner))
    assert len(keys) == 4
    assert first != second


def test_many_keys_are_read_in_one_statement_whether_they_exist_or_not(session: Session, keyring: Keyring) -> None:
    profiles = new_ids(300)
    some = profile_keys(session, keyring, profiles[:100])
    every = profile_keys(session, keyring, profiles)
    assert {id_: every[id_] for id_ in some} == some
    assert len(set(every.values())) == 300


def test_a_key_under_a_master_key_that_is_gone_says_which(session: Session, keyring: Keyring) -> None:
    profile = new_id()
    profile_key(session, keyring, profile_id=profile)
    with pytest.raises(Refused) as refusal:
        profile_key(session, Keyring.from_setting(generate()), profile_id=profile)
    assert refusal.value.code == "master_key_missing"
    assert keyring.master_ids[0] in refusal.value.faults[0].mend


def test_racing_makers_get_the_same_keys(engine: Engine, keyring: Keyring) -> None:
    profiles = new_ids(20)
    start = Barrier(2)

    def make(order: list[UUID]) -> dict[UUID, bytes]:
        with sessions(engine).begin() as session:
            start.wait(timeout=10)
            return profile_keys(session, keyring, order)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(make, (profiles, profiles[::-1]))
    assert one == other
    with sessions(engine)() as session:
        assert session.scalar(select(func.count()).select_from(DataKey)) == 20
