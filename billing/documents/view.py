"""A document in words: every text that the page and the PDF show, in one language, already written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale

from billing.documents.facts import DocumentFacts, GroupFacts, LineFacts
from billing.documents.nets import by_percent, nets, unit_net
from billing.documents.parties import Party, buyer_party, seller_party
from billing.kernel.period import zone_info
from billing.writing.amounts import money, number, unit_price
from billing.writing.places import locale_of, short_day

_WORDING = Path(__file__).parent / "wording"
_MOMENT = timedelta(microseconds=1)
_OTHER_TAX = frozenset({"AU", "CA", "IN", "JP", "MY", "NZ", "SG", "US"})
"""Countries whose tax on sales is no VAT: a sales tax, a tax on goods and services, a tax on consumption."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `details` stand below its description, smaller."""

    description: str
    details: tuple[str, ...]
    quantity: str
    unit: str
    rate: str
    net: str


@dataclass(frozen=True, slots=True)
class View:
    """All texts of a document. Pairs are label and value."""

    language: str
    title: str
    heading: str
    number: str
    issued_on: tuple[int, int, int] | None
    """Year, month, day: what the file is dated."""
    facts: tuple[tuple[str, str], ...]
    seller: Party
    buyer: Party
    columns: tuple[str, str, str, str, str]
    rows: tuple[Row, ...]
    sums: tuple[tuple[str, str], ...]
    total: tuple[str, str]
    after: tuple[tuple[str, str], ...]
    """Credit applied and what is due."""
    state: str
    state_tone: str
    """good | open | none"""
    payment: tuple[str, ...]
    """How the customer pays by themselves: lines."""
    notes: tuple[str, ...]
    imprint: tuple[str, ...]
    """What the seller's law asks for besides: lines below all else."""
    footer: str
    page_of: str

    def as_data(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for templates."""
        return asdict(self)


@cache
def wording(language: str) -> dict[str, Any]:
    """All that a document may say in that language."""
    read: dict[str, Any] = yaml.safe_load((_WORDING / f"{language}.yaml").read_text(encoding="utf-8"))
    return read


def _words_of(document: DocumentFacts, language: str) -> dict[str, Any]:
    """A tax is called VAT where it is one: also a seller from elsewhere owes VAT of what One Stop Shop declares."""
    words = wording(language)
    vat = any(group.code == "destination" for group in document.tax_groups)
    if vat or document.seller["country"] not in _OTHER_TAX:
        return words
    other = words["other_tax"]
    return {**words, **other, "columns": {**words["columns"], "rate": other["rate"]}}


def view(document: DocumentFacts, *, language: str) -> View:
    """The document in `language`, one of `rules.language.LANGUAGES`; numbers and days as the buyer's country does."""
    return _Speaker(document, language).view()


def _lines(seller: Mapping[str, Any], name: str) -> list[str]:
    told: str | None = seller.get(name)
    return told.split("\n") if told else []


class _Speaker:
    """One document and one language."""

    def __init__(self, document: DocumentFacts, language: str) -> None:
        self._document = document
        self._language = language
        self._words = _words_of(document, language)
        self._locale: Locale = locale_of(language, document.buyer_country)

    def view(self) -> View:
        document, words = self._document, self._words
        title = words["title"][self._kind()]
        seller = seller_party(document.seller, words, self._locale)
        name = document.number or words["no_number"]
        issued = None if document.issued_at is None else document.issued_at.astimezone(zone_info(document.zone))
        state, tone = self._state()
        return View(
            language=self._language,
            title=f"{title} {name}",
            heading=title,
            number=name,
            issued_on=None if issued is None else (issued.year, issued.month, issued.day),
            facts=tuple(self._facts()),
            seller=seller,
            buyer=buyer_party(document.buyer, words, self._locale),
            columns=tuple(words["columns"][each] for each in ("description", "quantity", "unit", "rate", "net")),
            rows=tuple(self._rows()),
            sums=tuple(self._sums()),
            total=(words["total_note" if document.kind != "invoice" else "total"], self._money(document.total_minor)),
            after=tuple(self._after()),
            state=state,
            state_tone=tone,
            payment=tuple(self._payment()),
            notes=tuple(self._notes()),
            imprint=tuple(_lines(document.seller, "document_footer")),
            footer=f"{seller.name} · {title} {name}",
            page_of=words["page_of"],
        )

    def _kind(self) -> str:
        return self._document.kind if self._document.number or self._document.kind != "invoice" else "draft"

    def _facts(self) -> Iterator[tuple[str, str]]:
        document, words = self._document, self._words["facts"]
        yield words["number"], document.number or self._words["no_number"]
        if document.issued_at is not None:
            yield words["issued"], self._day(document.issued_at, document.zone)
        if document.period_start is not None and document.period_end is not None:
            yield words["period"], self._span(document.period_start, document.period_end)
        elif document.issued_at is not None and (document.corrects is None or document.supplied_at is not None):
            yield words["supplied"], self._day(document.supplied_at or document.issued_at, document.zone)
        if document.due_at is not None:
            yield words["due"], self._day(document.due_at, document.zone)
        if document.corrects is not None and document.corrects_issued_at is not None:
            yield words["corrects"], self._invoice(document.corrects, document.corrects_issued_at)

    def _rows(self) -> Iterator[Row]:
        document = self._document
        if not document.lines:
            for group in by_percent(document.tax_groups) or document.tax_groups:
                text = self._words["corrected"].format(number=document.corrects or "")
                yield Row(text, (), "", "", self._rate(group), self._money(group.base_minor))
        for line, net in zip(document.lines, nets(document), strict=True):
            unit = unit_net(line)
            yield Row(
                description=line.description,
                details=tuple(self._details(line)),
                quantity=number(self._charged(line), self._locale),
                unit="" if unit is None else unit_price(unit, document.currency, self._locale),
                rate=self._percent(line.tax_percent, line.tax_code),
                net=self._money(net),
            )

    def _charged(self, line: LineFacts) -> Decimal:
        """How many of what the unit price is for."""
        return Decimal(line.how["packages"]) if "packages" in line.how else line.quantity

    def _details(self, line: LineFacts) -> Iterator[str]:
        if line.period_start is not None and line.period_end is not None:
            yield self._span(line.period_start, line.period_end)
        how = line.how
        if tiers := how.get("tiers"):
            yield " + ".join(self._tier(tier, line) for tier in tiers)
        if "packages" in how:
            yield self._words["packages"].format(
                quantity=number(line.quantity, self._locale),
                size=number(Decimal(how["package_size"]), self._locale),
            )
        if "proration" in how:
            part = Decimal(how["left"] * 100) / Decimal(how["whole"])
            word = "unused" if line.kind == "proration_credit" else "part"
            yield self._words[word].format(percent=number(part.quantize(Decimal("0.01")), self._locale))
        if line.corrects is not None and line.corrects_issued_at is not None:
            yield f"{self._words['facts']['corrects']} {self._invoice(line.corrects, line.corrects_issued_at)}"
        if line.discount_minor:
            yield f"{self._words['discount']} {self._money(-line.discount_minor)}{self._gross(line)}"

    def _tier(self, tier: dict[str, str], line: LineFacts) -> str:
        def price(minor: str) -> str:
            return unit_price(Decimal(minor), self._document.currency, self._locale)

        flat = f" + {price(tier['flat'])}" if Decimal(tier["flat"]) else ""
        return f"{number(Decimal(tier['quantity']), self._locale)} × {price(tier['unit'])}{flat}{self._gross(line)}"

    def _gross(self, line: LineFacts) -> str:
        """What stands behind an amount that is not without tax, as the others are."""
        return f" ({self._words['gross']})" if line.tax_inclusive and line.tax_percent else ""

    def _sums(self) -> Iterator[tuple[str, str]]:
        document = self._document
        groups = by_percent(document.tax_groups)
        yield self._words["net"], self._money(document.total_minor - document.tax_minor)
        for group in groups:
            yield self._group(group), self._money(group.tax_minor)

    def _group(self, group: GroupFacts) -> str:
        text: str = self._words["tax_on"].format(rate=self._rate(group), base=self._money(group.base_minor))
        return text

    def _after(self) -> Iterator[tuple[str, str]]:
        document = self._document
        if document.kind != "invoice":
            return
        if document.brought_forward_minor:
            yield self._words["brought_forward"], self._money(document.brought_forward_minor)
        if document.credit_applied_minor:
            yield self._words["credit"], self._money(-document.credit_applied_minor)
        if document.brought_forward_minor or document.credit_applied_minor:
            yield self._words["due"], self._money(document.amount_due_minor)

    def _state(self) -> tuple[str, str]:
        document, words = self._document, self._words["state"]
        if document.kind != "invoice" or document.status in ("void", "replaced", "uncollectible", "draft", "expired"):
            status = document.status if document.kind == "invoice" else f"note_{document.status}"
            return words.get(status, ""), "none"
        if document.status == "open":
            amount = self._money(document.amount_remaining_minor)
            key = "automatic" if document.collection == "automatic" and document.by_itself else "open"
            return words[key].format(amount=amount), "open"
        told = []
        if document.amount_paid_minor:
            paid_on = self._day(document.paid_at, document.zone) if document.paid_at else ""
            told.append(words["paid"].format(amount=self._money(document.amount_paid_minor), day=paid_on))
        if document.amount_carried_forward_minor:
            forward = self._money(document.amount_carried_forward_minor)
            told.append(words["carried_forward"].format(amount=forward))
        # Neither: credit had paid it at issue, or a note took its debt away.
        return " ".join(told) or words["nothing_due"], "good"

    def _payment(self) -> Iterator[str]:
        """Only where nobody charges: who paid what is collected, too, would pay it twice."""
        document = self._document
        lines = _lines(document.seller, "payment_instructions")
        if lines and document.kind == "invoice" and document.status == "open" and document.collection != "automatic":
            yield self._words["pay_by"].format(number=document.number)
            yield from lines

    def _notes(self) -> Iterator[str]:
        for code in self._document.legal_notes:
            yield self._words["legal"].get(code, code)
        tax = self._document.seller_tax
        if tax is not None:
            yield self._words["seller_tax"].format(
                amount=money(tax["tax_minor"], tax["currency"], self._locale),
                rate=number(Decimal(tax["rate"]), self._locale),
                source=tax["source"],
                date=tax["date"],
                currency=tax["currency"].upper(),
                foreign=self._document.currency.upper(),
            )

    def _invoice(self, number: str, issued_at: datetime) -> str:
        return f"{number}, {self._day(issued_at, self._document.zone)}"

    def _money(self, minor: int) -> str:
        return money(minor, self._document.currency, self._locale)

    def _rate(self, group: GroupFacts) -> str:
        return self._percent(group.percent, group.code)

    def _percent(self, percent: Decimal, code: str) -> str:
        if code == "untaxed":
            return "–"
        return f"{number(percent, self._locale)}\u00a0%"

    def _day(self, at: datetime, zone: str) -> str:
        return short_day(at.astimezone(zone_info(zone)).date(), self._locale)

    def _span(self, start: datetime, end: datetime) -> str:
        """Half-open inside, from day to day on paper."""
        zone = zone_info(self._document.periods_zone)
        first, last = start.astimezone(zone).date(), (max(start, end - _MOMENT)).astimezone(zone).date()
        if first == last:
            return short_day(first, self._locale)
        return f"{short_day(first, self._locale)} – {short_day(last, self._locale)}"
