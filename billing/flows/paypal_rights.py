"""What the application of an account of PayPal may read: each list is a feature of its own, switched on by hand there.

Charges go through without them; that a charge is missing, or was taken back, would be noticed nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from billing.flows.parts import Parts
from billing.kernel.errors import NoPermit, ProviderRefused, ProviderUnavailable
from billing.queries.payment_method import the_provider_account
from billing.rules.rate import Rank

_RECENT = timedelta(minutes=1)


def unread(parts: Parts, *, code: str) -> Iterator[tuple[str, str]]:
    """The features without which lists of the account are refused, each with the refusal's code. One call each."""
    with parts.begin() as session:
        account_id, now = the_provider_account(session, provider="paypal", code=code).id, parts.clock.now(session)
    provider = parts.provider(account_id, rank=Rank.ON_SESSION)
    asked: Mapping[str, Callable[[], object]] = {
        "Transaction Search": lambda: provider.lists_reach(now),
        "Customer Disputes": lambda: next(provider.dispute_pages(created_from=now - _RECENT, created_to=now), None),
    }
    for feature, ask in asked.items():
        try:
            ask()
        except ProviderRefused as refused:
            yield feature, refused.code
        except (NoPermit, ProviderUnavailable):
            continue
