"""What leaves the house about a run or an error: by the real exporters, over HTTP, and nothing of a person in it."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.privacy.logging import configure_logging, correlated
from billing.privacy.redaction import REDACTED
from billing.privacy.reporting import Reports
from billing.privacy.spans import Spans
from billing.privacy.tracing import present_step, step, trace_with
from billing.sandbox.earpiece import Earpiece, Heard, earpiece
from billing.settings import Settings, load
from billing.wiring import observe, send_last_words
from tests.privacy.cards import card

NAME = "Jane Q. Planted"
MAIL = "jane.planted" + "@" + "example.com"
KEY = "sk_" + "live_" + "a1B2" * 6
CARD = card("4", 16)
PLANTED = (NAME, MAIL, KEY, CARD, "Planted")


@dataclass
class _Collector(Earpiece):
    """Takes whatever is sent, from both."""

    def hear(self, heard: Heard) -> int:
        self.heard.append(heard)
        return 200

    @property
    def texts(self) -> list[str]:
        bodies = [gzip.decompress(each.body) if each.body[:2] == b"\x1f\x8b" else each.body for each in self.heard]
        return [body.decode(errors="replace") for body in bodies]


@pytest.fixture
def collector() -> Iterator[_Collector]:
    with earpiece(_Collector()) as ear:
        assert isinstance(ear, _Collector)
        yield ear


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
    trace_with(None)


def _settings(**given: Any) -> Settings:
    return Settings(_env_file=None, billing_log_json=True, **given)


def _quote(name: str) -> None:
    secret_of_the_caller = MAIL
    raise ValueError(f"invalid name: {name!r} ({secret_of_the_caller})")


def _fail() -> None:
    try:
        _quote(NAME)
    except ValueError as error:
        raise Refused(Fault("name", "not_a_name", "give another; ours may be told")) from error


def test_an_error_reaches_sentry_with_its_way_and_nothing_that_was_typed_in(collector: _Collector) -> None:
    observe(_settings(billing_sentry_dsn=f"http://key@127.0.0.1:{collector.port}/1"), service="test")
    log = structlog.get_logger("billing.test")
    run = new_id()
    with correlated(str(run)):
        try:
            _fail()
        except Refused:
            log.exception("task_failed", task="renewals.bill", ids=["1"], email=MAIL, note=f"{KEY} {CARD}")
    logging.getLogger("some.library").error("could not greet %s", NAME)
    logging.getLogger("some.library").warning("no error")
    send_last_words()
    sent = [json.loads(text.splitlines()[-1]) for text in collector.texts]
    by_logger = {each["logger"]: each for each in sent}
    ours = by_logger["billing.test"]
    assert (ours["tags"]["correlation_id"], ours["tags"]["event"]) == (str(run), "task_failed")
    assert ours["extra"] == {"task": "renewals.bill", "ids": ["1"], "email": REDACTED, "note": f"{REDACTED} {REDACTED}"}
    told = [(each["type"], each["value"]) for each in ours["exception"]["values"]]
    assert told == [("ValueError", ""), ("Refused", "name: not_a_name (give another; ours may be told)")]
    assert ours["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "_quote"
    assert by_logger["some.library"]["logentry"]["message"] == "could not greet %s"
    assert len(sent) == 2
    whole = "".join(collector.texts)
    assert [each for each in PLANTED if each in whole] == []
    for unwanted in ("vars", "context_line", "server_name", "breadcrumbs", "user", "request", "modules", "abs_path"):
        assert f'"{unwanted}"' not in whole
    assert [path for path in sys.path if path.startswith("/") and path in whole] == []


def test_spans_go_out_over_http_and_what_they_are_told_is_redacted(collector: _Collector) -> None:
    observe(_settings(billing_traces_url=f"http://127.0.0.1:{collector.port}/v1/traces"), service="test")

    def fail() -> None:
        with step("renewals.bill", email=MAIL, note=f"{KEY} {CARD}", number=3) as tell:
            tell(outcome="declined")
            _quote(NAME)

    with correlated(), pytest.raises(ValueError, match="invalid name"):
        fail()
    send_last_words()
    whole = "".join(collector.texts)
    for told in ("renewals.bill", "billing-test", "billing.number", "declined", REDACTED, "ValueError"):
        assert told in whole
    assert [each for each in PLANTED if each in whole] == []


@pytest.fixture
def spans() -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    trace_with(Spans(lambda: SimpleSpanProcessor(kept), service="test"))
    return kept


def test_a_message_carries_the_step_that_its_task_goes_on_beneath(spans: InMemorySpanExporter) -> None:
    run = str(new_id())
    with correlated(run), step("tick", first=True):
        carried = present_step()
    with correlated(run), step("task", beneath=carried):
        pass
    # What is forged leads to no error and to no other trace.
    for forged in ("", "zz", "0", "f" * 17, carried):
        with correlated(run), step("forged", beneath=forged):
            pass
    tick, task, *others = spans.get_finished_spans()
    assert tick.parent is None
    assert (task.parent.span_id, f"{task.parent.span_id:016x}") == (tick.context.span_id, carried)
    assert {each.context.trace_id for each in (task, *others)} == {uuid.UUID(run).int}


def test_what_settles_a_run_of_days_ago_joins_it_and_names_who_brought_it(spans: InMemorySpanExporter) -> None:
    before, now = new_id(), new_id()
    with correlated(str(before)), step("tick", first=True):
        pass
    with correlated(str(now)), step("inbox.process", first=True):
        with correlated(str(before)), step("event.take"):
            assert present_step() is not None
        with step("transaction"):
            pass
    tick, took, transaction, process = spans.get_finished_spans()
    assert (took.context.trace_id, took.parent.span_id) == (before.int, tick.context.span_id)
    assert [link.context.span_id for link in took.links] == [process.context.span_id]
    assert (transaction.parent.span_id, process.parent, process.context.trace_id) == (
        process.context.span_id,
        None,
        now.int,
    )


def test_nothing_is_traced_or_reported_unless_it_is_asked_for(collector: _Collector) -> None:
    observe(_settings(), service="test")
    with correlated(), step("tick", first=True) as tell:
        tell(done=1)
        assert present_step() is None
    logging.getLogger("billing.test").error("failed")
    send_last_words()
    assert collector.heard == []


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "billing.privacy.reporting", None)
    with pytest.raises(Refused, match=r"BILLING_SENTRY_DSN: extra_missing .*billing-engine\[sentry\]"):
        observe(_settings(billing_sentry_dsn="http://key@127.0.0.1:9/1"), service="test")
    monkeypatch.setitem(sys.modules, "billing.privacy.spans", None)
    with pytest.raises(Refused, match=r"BILLING_TRACES_URL: extra_missing .*billing-engine\[otel\]"):
        observe(_settings(billing_traces_url="http://127.0.0.1:9/v1/traces"), service="test")


@pytest.mark.parametrize("url", ["collector:4317", "grpc://collector:4317", "https://user:word@collector/v1/traces"])
def test_an_address_for_traces_that_is_none_or_holds_a_password_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_TRACES_URL", url)
    with pytest.raises(Refused, match="BILLING_TRACES_URL") as refused:
        load()
    assert "word" not in str(refused.value)


def test_a_dsn_that_is_none_is_refused() -> None:
    configure_logging(json=True)
    with pytest.raises(Refused, match="BILLING_SENTRY_DSN"):
        Reports("not one", service="test", live=False)
