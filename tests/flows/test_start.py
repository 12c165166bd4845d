from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select, text

from billing.flows.start import start
from billing.kernel.ids import new_id
from billing.models import ProviderAccount
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


def somebody_waits(acme: Company) -> bool:
    # In a transaction of its own each time: a transaction sees one state of the activity.
    with acme.parts.begin() as session:
        return bool(session.scalar(WAITING))
