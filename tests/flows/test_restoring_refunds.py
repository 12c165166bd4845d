"""Refunds that a restored database lost, or shows as not sent: known again before any is sent a second time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text

from billing.flows import healing, paying_out, refunding, restoring
from billing.kernel.errors import Refused
from billing.models import ProviderEvent
from billing.queries.same_database import notice_server, pin_anew
from tests.flows.company import Company
from tests.flows.refunds import at_provider, hasten, paid_invoice
from tests.flows.restored import AFTERWARDS, MEANWHILE, WHY, backup_of, brakes, every_event_comes_again


@contextmanager
def _a_refund_lost(acme: Company) -> Iterator[None]:
    """A paid invoice, a backup, 5.00 that go back, and the backup put back."""
    with backup_of(acme) as backup:
        paid_invoice(acme)
        backup.take()
        refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=500)
        acme.settle()
        backup.restore()
        yield


def test_a_refund_that_the_copy_shows_as_not_sent_waits_and_is_found_instead_of_sent_again(acme: Company) -> None:
    with backup_of(acme) as backup:
        refunding.refund(acme.parts, paid_invoice(acme).id, amount_minor=100)
        acme.customer("billed-after")
        acme.subscribe("billed-after", "s2", start=MEANWHILE)
        acme.line.messages.clear()
        backup.take()
        acme.set_clock(MEANWHILE)
        acme.settle()
        assert [each.status for each in acme.refunds()] == ["succeeded"]
        backup.restore()
        acme.set_clock(AFTERWARDS)

        assert refunding.sweep(acme.parts) == 0, "not while it is open whether rows were lost"
        _orders_nothing_back(acme)
        assert restoring.recognise(acme.parts)
        _orders_nothing_back(acme)
        assert brakes(acme) == [("collect", None), ("issue", None)]
        hasten(acme)
        assert refunding.sweep(acme.parts) == 0, "nor before it is healed"
        healing.tick(acme.parts)
        acme.wait_for(lambda: refunding.sweep(acme.parts) > 0)
        assert len(at_provider(acme)) == 1, "nobody is given it back a second time"
        assert [(each.status, each.refund_ref) for each in acme.refunds()] == [
            ("succeeded", at_provider(acme)[0].refund_ref)
        ]


def test_a_refund_that_was_lost_is_recognised_before_it_is_ordered_again(acme: Company) -> None:
    with _a_refund_lost(acme):
        acme.settle_under_a_brake()
        assert acme.refunds() == []
        assert brakes(acme) == [("collect", None), ("issue", None)]
        (item,) = [each for each in acme.work_items() if each.kind == restoring.RESTORED]
        assert "knows refund" in str(item.error)
        _orders_nothing_back(acme)
        healing.tick(acme.parts)
        assert brakes(acme) == []
        assert [each.kind for each in acme.work_items() if each.status == "open"] == ["refund_without_record"]
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.database_pin SET fingerprint = 'before'"))
        acme.settle()
        assert brakes(acme) == [], "once healed, the same refund is no news"


def test_the_event_of_a_lost_refund_stops_everything_and_waits_itself(acme: Company) -> None:
    with _a_refund_lost(acme):
        with acme.parts.begin() as session:
            notice_server(session)
            pin_anew(session)  # as if its call had been answered after the provider was asked
        every_event_comes_again(acme)
        assert brakes(acme) == [("collect", None), ("issue", None)]
        with acme.begin() as session:
            handled = session.scalars(select(ProviderEvent.status).where(ProviderEvent.type.like("refund.%")))
            assert set(handled) == {"received"}


def _orders_nothing_back(acme: Company) -> None:
    """What was given back since the copy is not known; what is ordered now would be sent once all is healed."""
    paid = acme.invoices()[0]
    for order in (
        lambda: refunding.refund(acme.parts, paid.id, amount_minor=100),
        lambda: paying_out.order_payout(acme.parts, paid.profile_id, currency="eur", amount_minor=None, order=WHY),
    ):
        with pytest.raises(Refused) as refused:
            order()
        assert refused.value.code == "not_reconciled"
