"""Profiles: sealed from the first write, opened only with their own key."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.key.obtain import profile_key
from billing.commands.profile.change import change_profile
from billing.commands.profile.create import create_profile, create_profiles
from billing.db.session import sessions
from billing.kernel.errors import Refused, Stale
from billing.kernel.ids import new_id
from billing.models import OutboxEvent, Profile
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import SealBroken
from billing.queries.profile import known_profiles, lock_profile, open_personal
from billing.validators.address import Address
from billing.validators.profile import NewProfile, Personal, ProfileChange
from tests.commands.making import NOW, make_profile, make_seller

ADA = Personal(
    name="Ada Beispiel", email="ada@example.com", address=Address(line1="Hafenweg 1", city="Kiel"), tax_id=None
)


def _new(account_id: str, personal: Personal = ADA) -> NewProfile:
    return NewProfile(account_id=account_id, country="DE", personal=personal)


def test_what_is_personal_is_in_no_row_in_the_clear_and_opens_with_its_key(session: Session, keyring: Keyring) -> None:
    seller = make_seller(session)
    ids = create_profiles(session, keyring, seller_id=seller.id, new=[_new("a"), _new("b")], now=NOW)
    profile = session.get_one(Profile, ids["a"])
    key = profile_key(session, keyring, profile_id=profile.id)
    assert open_personal(profile.personal, key=key, profile_id=profile.id) == ADA
    rows = session.scalars(text("SELECT p::text FROM billing.profile p")).all()
    assert not any(word in row for row in rows for word in ("Ada", "Hafenweg", "Kiel", "example.com"))
    with pytest.raises(SealBroken):
        open_personal(profile.personal, key=key, profile_id=ids["b"])


def test_each_profile_has_a_random_anonymous_id_of_its_own(session: Session, keyring: Keyring) -> None:
    seller = make_seller(session)
    create_profiles(session, keyring, seller_id=seller.id, new=[_new("a"), _new("b")], now=NOW)
    ids = session.scalars(select(Profile.anonymous_id)).all()
    assert len(set(ids)) == 2
    assert all(id_.version == 4 for id_ in ids)


def test_an_account_has_one_profile(session: Session, keyring: Keyring) -> None:
    seller = make_seller(session)
    make_profile(session, keyring, seller, "a")
    with pytest.raises(Refused) as refusal:
        create_profiles(session, keyring, seller_id=seller.id, new=[_new("b"), _new("a")], now=NOW)
    assert refusal.value.code == "account_taken"
    assert "account a " in refusal.value.faults[0].mend


def test_a_change_seals_the_new_state_and_tells_the_host(session: Session, keyring: Keyring) -> None:
    seller = make_seller(session)
    profile = make_profile(session, keyring, seller, "a")
    bob = Personal(name="Bob", tax_id="FR23334175221")
    change = ProfileChange(country="FR", personal=bob, timezone="Europe/Paris", buyer_kind="business")
    change_profile(session, keyring, profile_id=profile.id, change=change, now=NOW, expected_version=1)
    known = known_profiles(session, keyring, seller_id=seller.id, account_ids=["a", "nobody"])
    assert list(known) == ["a"]
    assert (known["a"].personal, known["a"].country, known["a"].buyer_kind) == (bob, "FR", "business")
    assert profile.has_tax_id
    topics = session.scalars(select(OutboxEvent.topic).order_by(OutboxEvent.id)).all()
    assert topics == ["profile.created", "profile.updated"]


def test_a_change_of_another_version_or_of_nobody_is_refused(session: Session, keyring: Keyring) -> None:
    profile = make_profile(session, keyring, make_seller(session))
    change = ProfileChange(country="FR", personal=ADA, timezone="UTC", buyer_kind="consumer")
    with pytest.raises(Stale):
        change_profile(session, keyring, profile_id=profile.id, change=change, now=NOW, expected_version=2)
    with pytest.raises(Refused) as refusal:
        change_profile(session, keyring, profile_id=new_id(), change=change, now=NOW)
    assert refusal.value.code == "profile_not_found"


@pytest.mark.parametrize(
    ("country", "tax_id", "reversed_", "issuer", "method"),
    [
        ("FR", "FR23334175221", True, "FR", "stdnum"),
        ("DE", "DE136695976", False, "DE", "stdnum"),
        ("FR", "DE136695976", False, "DE", "stdnum"),
        ("US", "47-3573638", False, "US", "form"),
        ("GB", "XI123456789", False, "XI", "form"),
    ],
)
def test_only_a_checked_number_of_another_member_state_reverses_the_charge(
    session: Session, keyring: Keyring, country: str, tax_id: str, *, reversed_: bool, issuer: str, method: str
) -> None:
    seller = make_seller(session)
    personal = Personal(name="Firm", tax_id=tax_id)
    new = NewProfile(account_id="firm", country=country, personal=personal, buyer_kind="business")
    made = create_profile(session, keyring, seller_id=seller.id, new=new, now=NOW)
    assert made.has_tax_id is reversed_
    check = made.tax_id_check
    assert check is not None
    assert (check["valid"], check["issuer"], check["method"]) == (True, issuer, method)
    assert tax_id not in str(check), "the number itself is sealed"


def test_two_that_have_written_rows_of_one_customer_and_then_lock_it_wait_for_each_other_and_do_not_deadlock(
    engine: Engine, session: Session, keyring: Keyring
) -> None:
    profile_id = make_profile(session, keyring, make_seller(session), "a").id
    session.commit()
    names_it = text("SELECT FROM billing.profile WHERE id = :id FOR KEY SHARE")  # as every row's foreign key does
    with sessions(engine)() as first, sessions(engine)() as second:
        for each in (first, second):
            each.execute(text("SET LOCAL lock_timeout = '200ms'"))
            each.execute(names_it, {"id": profile_id})
        lock_profile(first, profile_id)
        with pytest.raises(OperationalError, match="lock timeout"):
            lock_profile(second, profile_id)
