"""Reporting: errors that are logged go to Sentry too, stripped. Only this file knows Sentry (`billing-engine[sentry]`).

A client of our own, without integrations, breadcrumbs, local variables or lines of source: it sends what this file
puts together from a line of the log, and of that only what is on a list. What was typed in never leaves by it: the
message of an error goes out only where this engine wrote it, of any other its type and where it was raised.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from traceback import walk_tb
from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport
from sentry_sdk.utils import BadDsn

from billing.kernel.errors import BillingError, Fault, Refused
from billing.privacy.redaction import redact, redact_text

_KEPT = (
    *("event_id", "timestamp", "platform", "level", "logger", "environment", "sdk"),
    *("tags", "extra", "logentry", "exception"),
)
_MOST = 50
"""Causes of an error, and frames of each."""
_UNTOLD = ("event", "exc_info", "stack_info", "correlation_id", "level", "logger", "timestamp")
_TWICE = "celery.app.trace"
"""Says again what the task has said already."""
_FLUSH_S = 3.0


class Reports(logging.Handler):
    """A handler of the root logger: every line from ERROR on becomes an event. Raises nothing, waits for nobody."""

    def __init__(self, dsn: str, *, service: str, live: bool, transport: Transport | None = None) -> None:
        """Raises `Refused` (`invalid_setting`) where the DSN is none. `transport`: in place of Sentry's own."""
        super().__init__(logging.ERROR)
        self._service = service
        try:
            self._client = sentry_sdk.Client(
                dsn=dsn,
                environment="live" if live else "test",
                integrations=[],
                default_integrations=False,
                auto_enabling_integrations=False,
                include_local_variables=False,
                include_source_context=False,
                max_breadcrumbs=0,
                max_request_body_size="never",
                auto_session_tracking=False,
                send_client_reports=False,
                traces_sample_rate=None,
                in_app_include=["billing"],
                before_send=_stripped,
                before_send_transaction=lambda *_: None,
                transport=transport,
            )
        except BadDsn:
            raise Refused(Fault("BILLING_SENTRY_DSN", "invalid_setting", "give the DSN of a Sentry project")) from None

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == _TWICE or record.name.startswith("sentry_sdk"):
            return
        try:
            self._client.capture_event(self._event(record))
        except Exception:  # noqa: BLE001 (who reports an error must not make another)
            self.handleError(record)

    def flush(self) -> None:
        """Send what waits, within seconds."""
        self._client.flush(_FLUSH_S)

    def _event(self, record: logging.LogRecord) -> Any:
        ours = record.msg if isinstance(record.msg, dict) else {}
        # Of a library's line the pattern alone: what it is filled with may be anybody's.
        told = str(ours.get("event", record.msg))
        run = ours.get("correlation_id")
        tags = {"service": self._service, "event": redact_text(told)} | ({"correlation_id": str(run)} if run else {})
        extra = {name: redact(value, name=name) for name, value in ours.items() if name not in _UNTOLD}
        raised = [_raised(each) for each in _chain(_error(record, ours))]
        event = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "tags": tags,
            "extra": {name: value for name, value in extra.items() if not name.startswith("_")},
            "logentry": {"message": redact_text(told)},
        }
        return event | ({"exception": {"values": raised[::-1]}} if raised else {})

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        sys.stderr.write(f"an error of {record.name} at line {record.lineno} could not be reported\n")


def _error(record: logging.LogRecord, ours: dict[str, Any]) -> BaseException | None:
    given = record.exc_info or ours.get("exc_info")
    if isinstance(given, BaseException):
        return given
    if given is True:
        given = sys.exc_info()
    return given[1] if isinstance(given, tuple) else None


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error, then what it came of."""
    chain: list[BaseException] = []
    while error is not None and error not in chain and len(chain) < _MOST:
        chain.append(error)
        error = error.__cause__ if error.__suppress_context__ else error.__context__
    return chain


def _raised(error: BaseException) -> dict[str, Any]:
    """An error as Sentry reads it: its type, where it passed, and what it says where this engine says it."""
    frames = [
        {
            "filename": Path(frame.f_code.co_filename).name,
            "function": frame.f_code.co_name,
            "module": frame.f_globals.get("__name__"),
            "lineno": line,
            "in_app": str(frame.f_globals.get("__name__")).startswith("billing."),
        }
        for frame, line in walk_tb(error.__traceback__)
    ]
    return {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "value": redact_text(str(error)) if isinstance(error, BillingError) else "",
        "stacktrace": {"frames": frames[-_MOST:]},
    }


def _stripped(event: Any, _hint: Any) -> Any:
    """What this file has put together, and nothing that the client added of itself."""
    return {name: event[name] for name in _KEPT if name in event}
