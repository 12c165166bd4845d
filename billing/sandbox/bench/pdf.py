"""`./run bench pdf`: documents set in a second by one process, short and long, and its memory over all of them."""

from __future__ import annotations

import resource
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal

from billing.documents.facts import DocumentFacts, GroupFacts, LineFacts
from billing.documents.page import page
from billing.documents.pdf import pdf
from billing.documents.view import view
from billing.rules.language import LANGUAGES
from billing.sandbox.bench.figures import Report

_START, _END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
_NAMES = ("Käthe Müller GmbH", "株式会社テスト商事", "شركة الاختبار", "परीक्षण लिमिटेड")


def run(*, documents: int, lines: int, report: Report, warm: int = 50) -> None:
    """Measure and tell. No database: what is measured is words, page and PDF. `warm` ones come first, uncounted."""
    report.progress(f"setting {documents:,} documents of 12 lines ...")
    _set(warm, 12)
    before_mb = _peak_mb()
    short_s = _set(documents, 12)
    after_mb = _peak_mb()
    report.progress(f"setting a document of {lines:,} lines ...")
    began = time.perf_counter()
    long = pdf(view(_document(0, lines), language="en"), country="DE")
    long_s = time.perf_counter() - began
    began = time.perf_counter()
    for number in range(documents):
        page(view(_document(number, 12), language=LANGUAGES[number % len(LANGUAGES)]))
    pages_s = time.perf_counter() - began
    figures = {
        "documents": documents,
        "pdf_a_second": round(documents / short_s, 1),
        "html_a_second": round(documents / pages_s, 1),
        "long_lines": lines,
        "long_ms": round(long_s * 1000),
        "long_bytes": len(long.content),
        "peak_mb_before": before_mb,
        "peak_mb_after": after_mb,
    }
    report.table(
        "Documents, one process, four languages and four scripts",
        ("what", "figure"),
        [
            ("PDF/A of 12 lines, a second", f"{figures['pdf_a_second']:,}"),
            ("pages of 12 lines, a second", f"{figures['html_a_second']:,}"),
            (f"PDF/A of {lines:,} lines, ms", f"{figures['long_ms']:,}"),
            (f"peak memory after {warm}, MB", f"{before_mb:,}"),
            (f"peak memory after {documents:,} more, MB", f"{after_mb:,}"),
        ],
    )
    report.end(figures)


def _set(documents: int, lines: int) -> float:
    """Seconds."""
    began = time.perf_counter()
    for number in range(documents):
        made = pdf(view(_document(number, lines), language=LANGUAGES[number % len(LANGUAGES)]), country="DE")
        assert made.archivable
    return time.perf_counter() - began


def _peak_mb() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 1_000_000


def _document(number: int, lines: int) -> DocumentFacts:
    base = sum(1000 + place for place in range(lines))
    tax = base * 19 // 100
    return DocumentFacts(
        kind="invoice",
        status="paid",
        number=f"ACME-{number:06d}",
        issued_at=_START,
        due_at=None,
        paid_at=_START,
        period_start=_START,
        period_end=_END,
        zone="Europe/Berlin",
        periods_zone="Europe/Berlin",
        currency="eur",
        subtotal_minor=base,
        discount_minor=0,
        tax_minor=tax,
        total_minor=base + tax,
        credit_applied_minor=0,
        brought_forward_minor=0,
        amount_due_minor=base + tax,
        amount_paid_minor=base + tax,
        amount_carried_forward_minor=0,
        amount_remaining_minor=0,
        tax_groups=[GroupFacts(percent=Decimal(19), inclusive=False, base_minor=base, tax_minor=tax, code="domestic")],
        legal_notes=[],
        collection="automatic",
        buyer_country="DE",
        seller={"legal_name": "Acme GmbH", "country": "DE", "address": {"line1": "Kai 7", "city": "Hamburg"}},
        buyer={"name": _NAMES[number % len(_NAMES)], "address": {"line1": "Weg 1", "city": "Bonn", "country": "DE"}},
        lines=[_line(number, place) for place in range(lines)],
    )


def _line(number: int, place: int) -> LineFacts:
    return LineFacts(
        kind="recurring",
        description=f"Seat {place} of team {number}",
        quantity=Decimal(1),
        unit_amount=Decimal(1000 + place),
        amount_minor=1000 + place,
        discount_minor=0,
        tax_percent=Decimal(19),
        tax_inclusive=False,
        tax_code="domestic",
        period_start=_START,
        period_end=_END,
        how={},
    )
