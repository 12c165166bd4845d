"""Logs: ours and a library's lines both pass the redactor, exceptions included, and bear one correlation id."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from billing.kernel.errors import Refused
from billing.privacy.logging import configure_logging, correlated

LONG = "a1B2" * 6
KEY = "sk_" + "live_" + LONG


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # A program started by an earlier test may have captured warnings; capturing twice does nothing.
    logging.captureWarnings(capture=False)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    written = io.StringIO()
    configure_logging(json=True, level="info", stream=written)
    return written


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_own_line_is_one_json_object_with_its_facts(stream: io.StringIO) -> None:
    structlog.get_logger("billing.flows.renewal").info("slice_done", slice="s-1", invoices=200)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "slice_done",
        "slice": "s-1",
        "invoices": 200,
        "level": "info",
        "logger": "billing.flows.renewal",
    }


def test_a_librarys_line_passes_the_redactor_too(stream: io.StringIO) -> None:
    library = logging.getLogger("stripe.of_this_test")
    library.setLevel(logging.INFO)
    library.info("request with %s", KEY, extra={"headers": {"Authorization": "plain-looking"}})
    (line,) = lines(stream)
    assert line["event"] == "request with [redacted]"
    assert line["headers"] == {"Authorization": "[redacted]"}
    assert line["logger"] == "stripe.of_this_test"


@pytest.mark.parametrize("ours", [True, False])
def test_the_text_of_an_exception_and_of_its_cause_is_redacted(stream: io.StringIO, *, ours: bool) -> None:
    log: Any = structlog.get_logger("a") if ours else logging.getLogger("a")
    failure = RuntimeError(f"redis://:{LONG}@cache")
    failure.__cause__ = ValueError(f"refused {KEY}")
    log.error("failed", exc_info=failure)
    (line,) = lines(stream)
    assert "RuntimeError" in line["exception"]
    assert "ValueError: refused [redacted]" in line["exception"]
    assert LONG not in stream.getvalue()


def test_plain_text_for_people_is_redacted_as_well() -> None:
    written = io.StringIO()
    configure_logging(json=False, level="INFO", stream=written)
    structlog.get_logger("a").error("failed", email="plain-looking", exc_info=ValueError(KEY))
    assert "failed" in written.getvalue()
    assert "ValueError" in written.getvalue()
    assert LONG not in written.getvalue()
    assert "plain-looking" not in written.getvalue()


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    structlog.get_logger("a").debug("quiet")
    logging.getLogger("b").debug("quiet")
    assert stream.getvalue() == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        configure_logging(json=True, level="loud")
    assert caught.value.code == "unknown_log_level"


def test_configuring_again_writes_each_line_once(stream: io.StringIO) -> None:
    configure_logging(json=True, level="INFO", stream=stream)
    logging.getLogger("a").info("once")
    assert len(lines(stream)) == 1


def test_a_record_that_cannot_be_formatted_does_not_print_its_arguments(
    stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    (handler,) = (one for one in logging.getLogger().handlers if getattr(one, "stream", None) is stream)
    handler.handle(logging.LogRecord("a", logging.INFO, "a.py", 7, "%d items", (KEY,), None))
    assert "could not be written" in stream.getvalue()
    assert LONG not in stream.getvalue() + capsys.readouterr().err


def test_warnings_pass_the_redactor(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(f"old call with {KEY}", stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = lines(stream)
    assert line["logger"] == "py.warnings"
    assert LONG not in line["event"]


def test_one_correlation_id_stands_on_every_line_within(stream: io.StringIO) -> None:
    with correlated() as outer:
        structlog.get_logger("a").info("first")
        with correlated() as inner:
            logging.getLogger("celery").info("second")
        with correlated("given"):
            logging.getLogger("kombu").info("third")
    logging.getLogger("a").info("fourth")
    assert inner == outer
    assert [line.get("correlation_id") for line in lines(stream)] == [outer, outer, "given", None]


def test_a_text_from_outside_begins_no_line_of_its_own_and_moves_no_cursor() -> None:
    stream = io.StringIO()
    configure_logging(json=False, level="info", stream=stream)
    forged = "/x\n2026-01-31T09:00:00Z [error    ] forged\r\x1b[2J\x9b2J\u2028end"
    logging.getLogger("waitress").info("Client disconnected while serving %s", forged)
    structlog.get_logger("billing").warning("delivery_refused", code=forged, account="\x1b[2J", about={"a": "\x9b2J"})
    logging.getLogger("waitress").error("Exception while serving %s", forged, exc_info=ValueError(forged))
    told = stream.getvalue()
    assert not [line for line in told.splitlines() if line.startswith("2026-01-31T09:00:00Z")]
    assert all(sign == "\n" or sign.isprintable() for sign in told)
