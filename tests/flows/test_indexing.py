"""The index of e-mail addresses is made for all whose seal opens; who can't be opened is told of once, and passed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from billing.commands.profile.email_index import NONE
from billing.flows.indexing import index_emails
from billing.models import Profile
from tests.flows.company import Company


def _from_before(acme: Company, *accounts: str) -> list[UUID]:
    """Customers who were there before there was an index."""
    made = [acme.customer(account, method=None) for account in accounts]
    _write(acme, "UPDATE billing.profile SET email_index = NULL")
    return made


def _write(acme: Company, statement: str, **values: object) -> None:
    with acme.parts.begin() as session:
        session.execute(text(statement), values)


def _index(acme: Company, profile_id: UUID) -> bytes | None:
    with acme.begin() as session:
        return session.get_one(Profile, profile_id).email_index


def test_one_broken_seal_stops_no_other_and_is_told_once(acme: Company) -> None:
    broken, keyless, sound = _from_before(acme, "one", "two", "three")
    _write(acme, "UPDATE billing.profile SET personal = decode('00ff', 'hex') WHERE id = :id", id=broken)
    _write(acme, "UPDATE billing.data_key SET wrapped = decode('00ff', 'hex') WHERE owner_id = :id", id=keyless)
    assert index_emails(acme.parts) == 3
    assert len(_index(acme, sound) or b"") == 32
    assert (_index(acme, broken), _index(acme, keyless)) == (NONE, NONE)
    items = {item.subject_id: item for item in acme.work_items()}
    assert set(items) == {broken, keyless}
    item = items[broken]
    assert (item.kind, item.subject_type, item.profile_id, item.error) == (
        "task_failed",
        "profile",
        broken,
        "SealBroken",
    )
    assert index_emails(acme.parts) == 0
    assert [each.tries for each in acme.work_items()] == [1, 1]


def test_who_is_sealed_under_a_master_key_that_is_not_at_hand_waits_for_it_and_holds_up_no_other(
    acme: Company,
) -> None:
    away, sound = _from_before(acme, "one", "two")
    _write(acme, "UPDATE billing.data_key SET master_id = 'older' || master_id WHERE owner_id = :id", id=away)
    assert index_emails(acme.parts) == 1
    assert (_index(acme, away), len(_index(acme, sound) or b"")) == (None, 32)
    _write(acme, "UPDATE billing.data_key SET master_id = substr(master_id, 6) WHERE owner_id = :id", id=away)
    assert index_emails(acme.parts) == 1
    assert acme.work_items() == []
