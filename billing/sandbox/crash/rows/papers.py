"""Row 78: killed while a document is printed, by an operator or at a customer's link: printed again, it is the same."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import requests

from billing.flows import links
from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.kills import killed
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import Customer, World

_PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_POINTS = ("document.read", "document.printed")
_TIMEOUT_S = 20.0
_DOCUMENT = """
SELECT string_agg(format('%s %s', number, encode(content_hash, 'hex')), ' ' ORDER BY number) FROM billing.invoice
"""


def _operator_dies(point: str) -> Story:
    """SIGKILL to the operator's command: there is no half a file, and the next one writes the whole of it."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker()
        stage.play(lambda: stage.quiet)
        before = stage.text(_DOCUMENT)
        number = stage.text("SELECT min(number) FROM billing.invoice")
        file = stage.living_folder / "printed.pdf"
        order = ("invoice", "pdf", number, "--out", str(file), "--reason", "asked for", "--by", "mara")
        stage.typed(*order, faults=f"{point}=kill")
        if stage.fired(point, process="operator") is None:
            raise NotReached(point)
        stage.hurt()
        stage.expect(not file.exists(), "a file was left by a command that died")
        stage.typed(*order)
        stage.expect(file.exists() and _is_whole(file.read_bytes()), "the second print is no PDF")
        stage.expect(stage.text(_DOCUMENT) == before, "printing has changed a document")

    return story


def _reader_is_left(point: str) -> Story:
    """SIGKILL to the receiver while it prints for a customer: the same link brings the same document afterwards."""

    def story(stage: Stage) -> None:
        stage.receiver(faults=f"{point}=kill")
        stage.worker()
        stage.play(lambda: stage.quiet)
        before = stage.text(_DOCUMENT)
        settings = stage.parts.settings.model_copy(update={"billing_public_url": stage.receiver_url})
        invoice_id = stage.ids("SELECT id FROM billing.invoice ORDER BY number LIMIT 1")[0]
        with stage.parts.begin() as session:
            link = links.document_link(replace(stage.parts, settings=settings), session, invoice_id)
        with suppress(requests.ConnectionError):
            _read(link)
        killed(stage, point, process="receiver")
        stage.revive()
        stage.expect(_is_whole(_read(link)), "the link brings no PDF")
        stage.expect(stage.text(_DOCUMENT) == before, "printing has changed a document")

    return story


def _read(link: str) -> bytes:
    with requests.Session() as browser:
        browser.trust_env = False
        return browser.get(f"{link}.pdf", timeout=_TIMEOUT_S).content


def _is_whole(content: bytes) -> bool:
    return content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")


ROWS = (
    Row(
        "78",
        "killed while a document is printed",
        lambda _: [
            case
            for point in _POINTS
            for case in (
                Case("78", f"operator {point}@1", _operator_dies(point), world=_PAIR),
                Case("78", f"receiver {point}@1", _reader_is_left(point), world=_PAIR),
            )
        ],
    ),
)
