"""Master keys are rotated while processes start anew one by one: who lacks the new one leaves the work to others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from billing.flows import drafts, renewal
from billing.flows.order import Order
from billing.flows.rekeying import rewrap
from billing.models import Slice
from billing.privacy.keyring import Keyring, generate
from billing.validators.seller import SellerPolicy
from billing.webhooks.door import take
from tests.flows.company import START, Company, company
from tests.flows.deliveries import deliveries, event_body

WHY = Order(actor="ada", reason="the yearly rotation")


def _rewrapped(acme: Company) -> Keyring:
    """The keys of a process that has both masters. All data keys are under the new one."""
    old = acme.parts.settings.billing_secret_key.get_secret_value()
    both = Keyring.from_setting(f"{generate()},{old}")
    rewrap(replace(acme.parts, keyring=both), order=WHY)
    return both


def test_a_worker_without_the_new_master_holds_no_subscription(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    both = _rewrapped(acme)
    assert renewal.plan(acme.parts) == 1
    with acme.parts.begin() as session:
        slice_id = session.scalars(select(Slice.id)).one()
    assert renewal.bill(acme.parts, slice_id) == 0
    assert acme.work_items() == []
    assert renewal.bill(replace(acme.parts, keyring=both), slice_id) == 1
    assert acme.work_items() == []


def test_a_worker_without_the_new_master_holds_no_draft(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(draft_review_h=1)) as acme:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        _rewrapped(acme)
        acme.set_clock(START + timedelta(hours=2))
        assert drafts.sweep(acme.parts) == 0
        assert [each.status for each in acme.invoices()] == ["draft"]
        assert acme.work_items() == []


def test_a_door_without_the_new_master_has_the_provider_deliver_again_and_names_no_key(acme: Company) -> None:
    first = deliveries(acme, event_body(acme, ref="evt_0", object_ref="pi_1"))
    assert [status for _, status in take(acme.parts, "stripe", "default", first)] == [200]
    _rewrapped(acme)
    ((said, status),) = take(acme.parts, "stripe", "default", deliveries(acme, event_body(acme, ref="evt_1")))
    assert status == 503
    assert said == {"error": {"field": "account", "code": "unavailable", "mend": "deliver again later"}}
