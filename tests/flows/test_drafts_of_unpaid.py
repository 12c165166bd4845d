"""Whether an issued draft is charged is decided when it is issued: its subscription may be unpaid then, or no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing, drafts
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company


@contextmanager
def _declined(database_url: str, *, unpaid: timedelta) -> Iterator[tuple[Company, UUID]]:
    """A customer whose first invoice is declined a day after the start, and once more at `unpaid` from the start.

    Drafts are looked at for a day; that of the second period is made 28 days after the start.
    """
    policy = SellerPolicy(
        dunning_hours=None, dunning_retries=(unpaid - timedelta(days=1),), dunning_final="unpaid", draft_review_h=24
    )
    with company(database_url, policy=policy) as acme:
        profile = acme.customer("a1", method="pm_card_chargeCustomerFail")
        acme.subscribe("a1", "s1")
        acme.settle()
        _go(acme, timedelta(days=1))
        yield acme, profile


def _go(acme: Company, after: timedelta) -> None:
    acme.set_clock(START + after)
    acme.settle()
    drafts.sweep(acme.parts)
    acme.settle()


def _stands(acme: Company) -> tuple[str, list[str]]:
    invoices = acme.invoices()
    return acme.subscription(invoices[0].subscription_id).status, [each.status for each in invoices]


def test_one_drafted_while_unpaid_and_issued_after_the_recovery_is_charged(database_url: str) -> None:
    with _declined(database_url, unpaid=timedelta(days=27)) as (acme, profile):
        for at in (timedelta(days=27), timedelta(days=28)):
            _go(acme, at)
        assert _stands(acme) == ("unpaid", ["open", "draft"])
        acme.give_method(profile, "pm_card_visa")
        _go(acme, timedelta(days=28, hours=6))
        assert _stands(acme) == ("active", ["paid", "draft"])
        _go(acme, timedelta(days=29))
        assert _stands(acme) == ("active", ["paid", "paid"])
        assert acme.violations() == ()


def test_one_drafted_before_it_was_unpaid_waits_for_the_recovery(database_url: str) -> None:
    with _declined(database_url, unpaid=timedelta(days=28, hours=6)) as (acme, profile):
        for at in (timedelta(days=28), timedelta(days=28, hours=6), timedelta(days=29)):
            _go(acme, at)
        assert _stands(acme) == ("unpaid", ["open", "open"])
        assert [each.status for each in acme.payments()] == ["declined", "declined"], "both of the first invoice"
        acme.give_method(profile, "pm_card_visa")
        _go(acme, timedelta(days=30))
        assert _stands(acme) == ("active", ["paid", "paid"])
        assert acme.violations() == ()


def test_one_drafted_while_unpaid_stays_uncharged_where_its_subscription_has_ended(database_url: str) -> None:
    with _declined(database_url, unpaid=timedelta(days=27)) as (acme, _):
        for at in (timedelta(days=27), timedelta(days=28)):
            _go(acme, at)
        with acme.parts.begin() as session:
            changing.cancel(acme.parts, session, acme.invoices()[0].subscription_id, when=CancelWhen.NOW)
        _go(acme, timedelta(days=29))
        assert _stands(acme) == ("canceled", ["open", "open"])
        assert [each.on_schedule for each in acme.invoices()] == [True, False]
        assert acme.violations() == ()
