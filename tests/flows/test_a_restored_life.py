"""A life whose database is put back to an older copy: it is healed, its books tie, and nobody is charged in silence.

Led as `test_reports_of_a_life` leads its lives, with the same three settings.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing.flows import backfill, healing, restoring
from billing.flows.audit_report import Violation
from billing.kernel.errors import PROVIDER_ERRORS, Stale
from billing.models import Difference, Invoice, Payment, ProviderCustomer
from tests.flows.company import Company
from tests.flows.life import Life
from tests.flows.life_of_accounts import astray
from tests.flows.life_of_wallets import witness_of
from tests.flows.life_pages import unopened
from tests.flows.life_truths import audited, broken, gaps, still_accrued, unforwarded
from tests.flows.passing import passing
from tests.flows.restored import Backup, backup_of
from tests.flows.test_reports_of_a_life import FIRST, LIVES, STEPS, begun

pytestmark = pytest.mark.usefixtures("two_accounts")


@pytest.mark.parametrize("seed", range(FIRST, FIRST + LIVES))
def test_books_tie_after_a_restore_and_whatever_was_charged_meanwhile_is_known(acme: Company, seed: int) -> None:
    life = begun(acme, seed)
    with backup_of(acme) as backup:
        for _ in range(STEPS // 6):
            life.step()
        _lose(life, backup, steps=STEPS // 6)
        _heal(life)
        for _ in range(STEPS // 6):
            life.step()
            assert _untrue(life) == [], life.done
        _heal(life)
        assert [*_untrue(life), *_unknown(life), *unopened(life), *_accused(life)] == [], life.done


def _lose(life: Life, backup: Backup, *, steps: int) -> None:
    """Whatever is done in these steps is lost to us, and known to the providers."""
    life.calm()
    life.settle()
    backup.take()
    known = [*life.profiles], {**life.accounts}, [*life.subscriptions], {**life.house_of}, {**life.groups}
    closed, audited_to = [*life.closed], life.audited_to
    for _ in range(steps):
        life.step()
    life.calm()
    life.settle()
    now = life.acme.now()
    backup.restore()
    life.profiles, life.accounts, life.subscriptions, life.house_of, life.groups = known
    life.closed, life.audited_to = closed, audited_to
    life.acme.set_clock(now)
    life.done.append("restored")


def _heal(life: Life) -> None:
    """Until nothing waits to be healed. Of a declined order only PayPal's event tells that its row was lost: its events
    are read in the end, and what they show is healed in turn."""
    _tick(life)
    backfill.backfill(life.acme.parts)
    life.acme.settle_under_a_brake()
    with life.acme.begin() as session:
        noticed = restoring.is_restored(session)
    if noticed:
        _tick(life)
    with life.acme.begin() as session:
        assert not restoring.is_restored(session), life.done


def _tick(life: Life) -> None:
    """PayPal's lists are late, and a person starts what a person had stopped."""
    for _ in range(6):
        life.calm()
        life.acme.set_clock(life.acme.now() + timedelta(hours=5))
        life.paypal.stand_in.clock.set(life.acme.now())
        life.acme.settle_under_a_brake()
        with passing(*PROVIDER_ERRORS, Stale):
            healing.tick(life.acme.parts)


def _untrue(life: Life) -> list[object]:
    return [*broken(life), *gaps(life), *unforwarded(life), *still_accrued(life), *astray(life)]


def _unknown(life: Life) -> list[object]:
    """Charges of our customers, or for our invoices, that brought money: neither rows nor differences speak of them.

    A customer whom a provider was told of after the copy is nobody to us: an account may serve several databases.
    """
    with life.acme.begin() as session:
        ours = set(session.scalars(select(Payment.charge_ref)))
        told = set(session.scalars(select(Difference.object_ref).where(Difference.resolved_at.is_(None))))
        customers = set(session.scalars(select(ProviderCustomer.customer_ref)))
        invoices = {str(id_) for id_ in session.scalars(select(Invoice.id))}
    return [
        ("charged", each.charge_ref)
        for each in witness_of(life).charges()
        if each.status == "succeeded"
        and each.amount_minor > each.refunded_minor
        and each.charge_ref not in ours | told
        and (each.customer_ref in customers or each.invoice_id in invoices)
    ]


def _accused(life: Life) -> list[Violation]:
    """What the audit finds, but for what the providers hold of rows that are lost."""
    return [each for each in audited(life) if each.code not in ("E1", "P3", "P5", "P9")]
