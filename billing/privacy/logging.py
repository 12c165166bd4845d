"""Logs: one handler on the root logger, whose every line, ours or a library's, passes the redactor first.

Celery must leave the root logger alone (`worker_hijack_root_logger` off), or its lines go around.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO
from uuid import UUID

import structlog
from structlog.typing import Processor

from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.privacy.redaction import redact

_OURS = ("timestamp", "level", "logger", "correlation_id")


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor: last but one, after exceptions have become text."""
    for name, value in event.items():
        if name not in _OURS:
            event[name] = redact(value, name=name)
    return event


def configure_logging(*, json: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Set up logging for this process, anew on each call. `json`: one object a line, else plain text for people.

    Replaces every handler of the root logger, so that nothing writes past the redactor. Writes to `stream`, else to
    standard error. Raises `Refused` (`unknown_log_level`).
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise Refused(Fault("BILLING_LOG_LEVEL", "unknown_log_level", "give DEBUG, INFO, WARNING or ERROR"))
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                redact_event,
                *_renderers(json=json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    # A web server that tells of every burst of deliveries would spend more on its lines than on the deliveries.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)


@contextmanager
def correlated(correlation_id: str | None = None) -> Iterator[str]:
    """Every line within bears one `correlation_id`: the given one, else the one already bound, else a new one."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    chosen = correlation_id or bound or str(new_id())
    with structlog.contextvars.bound_contextvars(correlation_id=chosen):
        yield chosen


def correlation() -> UUID | None:
    """The id that lines bear now, for rows and messages that carry the work on; None outside of any run."""
    bound = structlog.contextvars.get_contextvars().get("correlation_id")
    try:
        return UUID(bound) if bound else None
    except ValueError:
        return None


def within_its_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor of plain text: what came from outside neither begins a line that looks like one of ours
    nor moves a terminal's cursor. An exception keeps its lines, each of them indented."""
    for name, value in event.items():
        if isinstance(value, str):
            lines = value.split("\n") if name in _OF_LINES else [value]
            event[name] = "\n  ".join(map(_visible, lines))
    return event


_OF_LINES = ("exception", "stack")


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _renderers(*, json: bool) -> tuple[Processor, ...]:
    if json:
        return (structlog.processors.JSONRenderer(sort_keys=False, ensure_ascii=False, default=str),)
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    return within_its_line, plain


class _Handler(logging.StreamHandler[TextIO]):
    """Python's own report of a record that can't be formatted prints its arguments; this one names only the place."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        self.stream.write(f"a log record of {record.name} at line {record.lineno} could not be written\n")
