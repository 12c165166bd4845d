from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from billing.flows.start import start
from billing.kernel.errors import Refused
from billing.kernel.ids import lowest_id_at, new_id
from billing.models import DataKey, ProviderAccount
from billing.privacy.keyring import Keyring, generate
from billing.sandbox.embedded.processes import wait_until
from tests.flows.company import Company

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


def test_a_first_start_beside_another_one_finds_its_pin_and_goes_on(acme: Company) -> None:
    parts = acme.parts
    with parts.begin() as session:
        # No start has pinned the default account yet; the company's rows keep theirs under another code.
        ours = session.get_one(ProviderAccount, acme.account_id)
        ours.code, account_ref = "earlier", ours.account_ref
    with ThreadPoolExecutor(1) as pool, parts.sessions() as other:
        pin = {"provider": "stripe", "code": "default", "livemode": False, "account_ref": account_ref}
        other.add(ProviderAccount(id=new_id(), **pin))
        other.flush()
        starting = pool.submit(start, parts)
        assert wait_until(lambda: somebody_waits(acme), seconds=10), "it waits for the other's transaction"
        other.commit()
        starting.result(timeout=10)
    with parts.begin() as session:
        pinned = session.scalars(select(ProviderAccount).filter_by(code="default")).one()
        assert pinned.account_ref == account_ref


def test_master_keys_of_which_none_opens_what_is_sealed_are_refused(acme: Company) -> None:
    acme.customer("a1")
    (id_,), other = acme.parts.keyring.master_ids, generate()
    for wrong in (other, f"{id_}:{other}"):
        with pytest.raises(Refused) as refused:
            start(replace(acme.parts, keyring=Keyring.from_setting(wrong)))
        (fault,) = refused.value.faults
        assert (fault.field, fault.code) == ("BILLING_SECRET_KEY", "wrong_secret_key")
        assert id_ in fault.mend
        assert other not in fault.mend
    start(replace(acme.parts, keyring=Keyring.from_setting(f"{other},{_setting(acme)}")))


def test_while_a_key_is_rotated_a_process_that_has_one_of_both_starts(acme: Company) -> None:
    acme.customer("a1")
    # Newer than what the receiver may seal meanwhile.
    old, new, row = _setting(acme), generate(), lowest_id_at(datetime.now(UTC) + timedelta(hours=1))
    wrapped = Keyring.from_setting(new).wrap(bytes(32), row=row)
    with acme.parts.begin() as session:
        session.add(DataKey(id=row, purpose="profile", owner_id=new_id(), **asdict(wrapped)))
    for each in (old, new):
        start(replace(acme.parts, keyring=Keyring.from_setting(each)))


def _setting(acme: Company) -> str:
    assert acme.parts.settings.billing_secret_key is not None
    return acme.parts.settings.billing_secret_key.get_secret_value()


def somebody_waits(acme: Company) -> bool:
    # In a transaction of its own each time: a transaction sees one state of the activity.
    with acme.parts.begin() as session:
        return bool(session.scalar(WAITING))
