"""Spans: steps of runs as OpenTelemetry's spans. Only this file knows OpenTelemetry (`billing-engine[otel]`).

The id of a run's trace is its correlation id, and the span of its first step is known by the lower half of it. So a
row or a message that carries the correlation id leads to the trace, and what goes on days later joins it: nothing more
has to be kept. The provider of spans is our own, not the process's global one: what other libraries trace stays here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from billing.kernel.errors import BillingError
from billing.privacy.redaction import redact, redact_error
from billing.privacy.tracing import Place, Tell

_FLUSH_MS = 3000
_LOWER = (1 << 64) - 1
_PLAIN = (bool, int, float, str)
_begins: ContextVar[UUID | None] = ContextVar("begins", default=None)


class _Ids(RandomIdGenerator):
    """A run's first span has the run's own ids."""

    def generate_trace_id(self) -> int:
        run = _begins.get()
        return run.int if run else super().generate_trace_id()

    def generate_span_id(self) -> int:
        run = _begins.get()
        return run.int & _LOWER if run else super().generate_span_id()


class Spans:
    """A tracer (`billing.privacy.tracing`). What sends is made by `sending` at each process's first step: a thread of
    a parent does not live in its child."""

    def __init__(self, sending: Callable[[], Any], *, service: str) -> None:
        self._sending, self._service = sending, service
        self._made: tuple[int, TracerProvider] | None = None

    @contextmanager
    def step(self, name: str, run: UUID, place: Place, told: Mapping[str, Any]) -> Iterator[Tell]:
        present = trace.get_current_span().get_span_context()
        ours = present.trace_id == run.int
        above = place.beneath or (present.span_id if ours else run.int & _LOWER)
        # What belongs to another run, such as an event's task that settles a charge of days ago, is named as a link.
        links = [trace.Link(present)] if present.is_valid and not ours else None
        begins = _begins.set(run if place.first else None)
        try:
            where = trace.set_span_in_context(trace.INVALID_SPAN) if place.first else _at(run, above)
            span = self._tracer().start_span(name, context=where, links=links)
        finally:
            _begins.reset(begins)

        def tell(**more: Any) -> None:
            span.set_attributes({f"billing.{key}": _shown(key, value) for key, value in more.items()})

        tell(correlation_id=str(run), **told)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield tell
            except BaseException as error:
                span.set_attribute("error.type", type(error).__name__)
                said = redact_error(error) if isinstance(error, BillingError) else type(error).__name__
                span.set_status(trace.StatusCode.ERROR, said)
                raise

    def present(self, run: UUID) -> int | None:
        present = trace.get_current_span().get_span_context()
        return present.span_id if present.trace_id == run.int else None

    def flush(self) -> None:
        if self._made is not None and self._made[0] == os.getpid():
            self._made[1].force_flush(_FLUSH_MS)

    def _tracer(self) -> trace.Tracer:
        if self._made is None or self._made[0] != os.getpid():
            named = Resource.create({"service.name": self._service, "service.namespace": "billing"})
            provider = TracerProvider(ALWAYS_ON, named, id_generator=_Ids())
            provider.add_span_processor(self._sending())
            self._made = (os.getpid(), provider)
        return self._made[1].get_tracer("billing")


def over_http(url: str, *, service: str) -> Spans:
    """Spans by OTLP over HTTP to this address, in batches by a thread that nobody waits for; what is too much is lost.

    Headers, such as a token, are OpenTelemetry's own setting: OTEL_EXPORTER_OTLP_HEADERS.
    """
    return Spans(lambda: BatchSpanProcessor(OTLPSpanExporter(endpoint=url)), service=service)


def _at(run: UUID, number: int) -> Any:
    there = trace.SpanContext(run.int, number, is_remote=True, trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED))
    return trace.set_span_in_context(trace.NonRecordingSpan(there))


def _shown(name: str, value: Any) -> Any:
    """As a span may hold it: what the logs' redactor leaves of it, as text unless it is a plain value."""
    left = redact(value, name=name)
    if isinstance(left, _PLAIN):
        return left
    return [str(each) for each in left] if isinstance(left, list) else str(left)
