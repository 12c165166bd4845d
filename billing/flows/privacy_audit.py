"""The proof that the provider learnt nothing personal: all that the witness saw, against all that we keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from billing.flows.parts import Parts
from billing.privacy.traces import Traces
from billing.providers.stripe.witness import WitnessedRequest
from billing.providers.witnesses import unlisted
from billing.queries.personal import personal_values


class Seen(Protocol):
    """A provider's stand-in that shows every request that it got."""

    @property
    def providers(self) -> tuple[str, ...]: ...

    def requests(self) -> Iterable[WitnessedRequest]: ...


@dataclass(frozen=True, slots=True)
class Leak:
    """A request that says something it must not; what kind of thing, and never the thing."""

    request: str
    what: str


@dataclass(frozen=True, slots=True)
class PrivacyReport:
    """How much was held against how much, and what was found."""

    requests: int
    values: int
    leaks: tuple[Leak, ...]


def run(parts: Parts, witnesses: Sequence[Seen]) -> PrivacyReport:
    """Hold every request (path, parameters, names of parameters, idempotency key) against every personal value.

    Encoded, split and respelt values are found (`privacy.traces`); for values that are too short to be found, every
    parameter must stand on the list of what may be sent, with the shape that it says. Raises `ProviderUnavailable`.
    """
    traces = Traces()
    with parts.begin() as session:
        for where, value in personal_values(session, parts.keyring):
            traces.add(where, value)
    seen: list[WitnessedRequest] = []
    leaks: list[Leak] = []
    for witness in witnesses:
        theirs = list(witness.requests())
        (provider,) = witness.providers
        leaks += [_unlisted(what) for what in unlisted(provider, theirs)]
        seen += theirs
    for request in seen:
        name = f"{request.seq} {request.method} {request.path.partition('?')[0]}"
        leaks += [Leak(name, f"holds a {kind}") for kind in sorted(traces.find(_texts(request)))]
    return PrivacyReport(len(seen), traces.count, tuple(leaks))


def _unlisted(told: str) -> Leak:
    request, _, what = told.partition(": ")
    return Leak(request, f"not on the list: {what}")


def _texts(request: WitnessedRequest) -> list[str]:
    """Names apart from values: what was split over several parameters stands together again."""
    return [request.path, *_names(request.params), *_values(request.params), request.key or ""]


def _names(value: Any) -> Iterator[str]:
    """Of all parameters, inner ones too."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _values(value: Any) -> Iterator[str]:
    """All that is said, in its order."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    else:
        yield str(value)
