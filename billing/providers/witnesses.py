"""The books of several stand-ins as one witness: each provider's own, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from billing.providers.paypal import sent as paypal
from billing.providers.stripe import sent as stripe
from billing.providers.stripe.witness import (
    Witness,
    WitnessedCharge,
    WitnessedDispute,
    WitnessedEvent,
    WitnessedIntent,
    WitnessedRefund,
    WitnessedRequest,
)


class Witnesses:
    """What all of them show; which they are may still grow. Every method raises as `Witness` does."""

    def __init__(self, each: Callable[[], Sequence[Witness]]) -> None:
        self._each = each

    @property
    def providers(self) -> tuple[str, ...]:
        """Whose books these are."""
        return tuple(name for witness in self._each() for name in witness.providers)

    def charges(self) -> Iterator[WitnessedCharge]:
        return _all(witness.charges() for witness in self._each())

    def intents(self) -> Iterator[WitnessedIntent]:
        return _all(witness.intents() for witness in self._each())

    def refunds(self) -> Iterator[WitnessedRefund]:
        return _all(witness.refunds() for witness in self._each())

    def disputes(self) -> Iterator[WitnessedDispute]:
        return _all(witness.disputes() for witness in self._each())

    def requests(self) -> Iterator[WitnessedRequest]:
        return _all(witness.requests() for witness in self._each())

    def events(self) -> Iterator[WitnessedEvent]:
        return _all(witness.events() for witness in self._each())


_all = chain.from_iterable
_LISTS = {"stripe": stripe.told, "paypal": paypal.told}


def unlisted(provider: str, requests: Iterable[WitnessedRequest]) -> Iterator[str]:
    """What in these requests to the provider is not on the list of what it may be told, each with its operation."""
    return _LISTS[provider](requests)
