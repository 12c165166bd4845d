"""Explain: a document in words that its customer understands, from what is stored with it.

The accounts of lines are those of `rules.lines` and `rules.proration`. An account that doesn't give the amount of its
line is told as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.kernel.clock import format_instant, parse_instant
from billing.kernel.money import format_minor, plain, round_half_away
from billing.rules.figures import exact_money, grouped, hundredths, plain_of, price_of
from billing.rules.tax import TaxCode, TaxGroup

_DAY_S = 86_400
_TIME_UNITS = {"second": Fraction(1), "microsecond": Fraction(1, 10**6)}

_KINDS = {
    "recurring": "paid in advance",
    "usage": "used",
    "proration_credit": "given back",
    "proration_charge": "the rest of a running period",
    "one_off": "charged once",
}
_REASONS = {
    TaxCode.DOMESTIC: "sold in the seller's own country",
    TaxCode.DESTINATION: "sold to a consumer in another country of the EU",
    TaxCode.REVERSE_CHARGE: "reverse charge: the customer, a business in another country of the EU, owes the tax",
    TaxCode.OUTSIDE: "outside the countries in which the seller taxes",
    TaxCode.UNTAXED: "the price has no tax rate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAccount:
    """A line as it is stored. `credits` is the number of the document that a proration credit gives back of.

    `late_records` counts usage of the line's price and period that came when it had been invoiced, and changed nothing.
    """

    kind: str
    description: str
    amount_minor: int
    discount_minor: int
    tax_percent: Decimal
    tax_inclusive: bool
    tax_code: str
    period_start: datetime | None
    period_end: datetime | None
    how: Mapping[str, Any]
    credits: str | None = None
    late_records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAccount:
    """A document as it is stored. `corrects` is the number of the invoice that a note without lines corrects, and
    `into_credit_minor` what the note has booked into the customer's credit."""

    kind: str
    status: str
    number: str | None
    currency: str
    issued_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    subtotal_minor: int
    discount_minor: int
    total_minor: int
    credit_applied_minor: int
    brought_forward_minor: int
    amount_due_minor: int
    tax_groups: Sequence[TaxGroup]
    lines: Sequence[LineAccount]
    corrects: str | None = None
    into_credit_minor: int = 0


def explain(document: DocumentAccount) -> list[str]:
    """The whole document, a sentence a line, empty lines between its parts."""
    told = [_head(document)]
    for place, line in enumerate(document.lines, start=1):
        first, *rest = explain_line(line, currency=document.currency, turned=document.kind != "invoice")
        told += ["", f"{place}. {first}", *(f"   {each}" for each in rest)]
    return [*told, "", *_sums(document)]


def explain_line(line: LineAccount, *, currency: str, turned: bool = False) -> list[str]:
    """What it is, how its amount came about, its share of the discount, its tax. `turned`: it is on a credit note."""
    told = [f"{_one_line(line.description)}: {_KINDS[line.kind]}{_period(line.period_start, line.period_end)}"]
    told += [*_how(line, currency, turned=turned), *_counted(line.how)]
    if line.discount_minor:
        net = format_minor(line.amount_minor - line.discount_minor, currency)
        told.append(f"less {format_minor(line.discount_minor, currency)}, its share of the discount = {net}")
    told.append(f"tax: {_rate(line.tax_percent, line.tax_code, inclusive=line.tax_inclusive)}")
    if line.late_records:
        noun = "record" if line.late_records == 1 else "records"
        told.append(f"late usage: {line.late_records} {noun} came too late to count; see `billing usage late`")
    return told


def _how(line: LineAccount, currency: str, *, turned: bool) -> Iterator[str]:
    how = line.how
    if "numerator" not in how:
        yield f"{format_minor(line.amount_minor, currency)}; no account of it is stored"
        return
    exact = Fraction(how["numerator"], how["denominator"])
    rounded = round_half_away(exact)
    result = _result(exact, rounded, currency)
    price = _price(how, _one_line(line.description), currency) if "model" in how else ""
    if "proration" in how:
        base = Fraction(how["base_numerator"], how["base_denominator"])
        if price:
            yield f"{price} = {exact_money(base, currency)} for a whole period"
        yield f"{_share(line, how)} of {_base(line, how, base, currency)}{result}"
    else:
        yield f"{price}{result}"
    signed = -rounded if turned else rounded
    if turned:
        yield f"on a credit note with its sign turned: {format_minor(signed, currency)}"
    if signed != line.amount_minor:
        yield f"but the line says {format_minor(line.amount_minor, currency)}: that does not fit; see `billing audit`"


def _counted(how: Mapping[str, Any]) -> Iterator[str]:
    """Which usage it is, where that is not simply all that was used in the period."""
    if "counts_from" in how:
        yield f"usage counts from {_day(parse_instant(how['counts_from']))} on, when the price was added"
    if "late" in how:
        yield f"of these, {grouped(how['late'])} were reported after the period in which they were used was invoiced"


def _result(exact: Fraction, rounded: int, currency: str) -> str:
    if exact.denominator == 1:
        return f" = {format_minor(rounded, currency)}"
    return f" = {exact_money(exact, currency)}, rounded half away from zero to {format_minor(rounded, currency)}"


def _price(how: Mapping[str, Any], name: str, currency: str) -> str:
    """What the quantity costs, by the model: everything before the equals sign."""
    quantity = grouped(how["quantity"])
    head, model = f"{quantity} {name}: ", how["model"]
    if quantity == "0":
        return f"{head}nothing was used"
    unit = price_of(how.get("unit", "0"), currency)
    if model == "flat":
        return f"{head}{unit} flat, whatever the quantity"
    if model == "package":
        packages = "1 package" if how["packages"] == 1 else f"{how['packages']:,} packages"
        return f"{head}{packages} of {how['package_size']:,}, each begun one whole, at {unit} each"
    if model == "per_unit":
        return f"{head}{quantity} at {unit} each"
    parts = [_tier(tier, currency, place, model) for place, tier in enumerate(how["tiers"])]
    return head + ", ".join(parts)


def _tier(tier: Mapping[str, str], currency: str, place: int, model: str) -> str:
    flat = f" plus {price_of(tier['flat'], currency)} once" if Fraction(tier["flat"]) else ""
    each = f"{grouped(tier['quantity'])} at {price_of(tier['unit'], currency)} each{flat}"
    if model == "graduated":
        return f"{'the next' if place else 'the first'} {each}"
    bound = "of the last tier" if tier["up_to"] == "inf" else f"for up to {grouped(tier['up_to'])}"
    return f"all {each}, the price {bound}"


def _share(line: LineAccount, how: Mapping[str, Any]) -> str:
    left, whole = how["left"], how["whole"]
    word = " left" if line.kind != "recurring" else " up to the first full period"
    if how["time_unit"] == "day":
        return f"{left:,} of {whole:,} days{word} (dates in {how['zone']})"
    scale = _TIME_UNITS[how["time_unit"]]
    seconds = [left * scale, whole * scale]
    told = " of ".join(grouped(plain_of(each)) for each in seconds)
    days = [each / _DAY_S for each in seconds]
    if all(each.denominator == 1 for each in days):
        return f"{days[0].numerator:,} of {days[1].numerator:,} days{word} ({told} seconds)"
    about = " of ".join(f"{hundredths(each)}" for each in days)
    return f"about {about} days{word} ({told} seconds)"


def _base(line: LineAccount, how: Mapping[str, Any], base: Fraction, currency: str) -> str:
    amount = exact_money(base, currency)
    if line.kind != "proration_credit":
        return amount
    told = f"the {amount} charged{f' by {line.credits}' if line.credits else ''}"
    kept = Fraction(how["kept_numerator"], how["kept_denominator"])
    return told if kept == 1 else f"{told}, of which {kept.numerator}/{kept.denominator} was not refunded"


def _rate(percent: Decimal, code: str, *, inclusive: bool) -> str:
    reason = _REASONS[TaxCode(code)]
    if code == TaxCode.UNTAXED:
        return f"none, {reason}"
    side = "" if not percent else " inside the price" if inclusive else " on top"
    return f"{plain(percent)} %{side}, {reason}"


def _head(document: DocumentAccount) -> str:
    name = document.number or "without a number"
    issued = "not issued yet" if document.issued_at is None else f"issued {_day(document.issued_at)}"
    told = f"{issued}{_period(document.period_start, document.period_end)}"
    if document.kind == "cancellation":
        return f"Cancellation {name}, {told}: it takes back all of invoice {document.corrects}."
    if document.status == "refunded":
        return f"Credit note {name}, {told}: it gives back money paid on invoice {document.corrects}."
    if document.kind == "credit_note" and document.corrects:
        return f"Credit note {name}, {told}: it takes back a part of invoice {document.corrects}."
    if document.kind == "credit_note":
        return f"Credit note {name}, {told}: more was given back than charged, so every sign is turned."
    return f"Invoice {name}, {told}."


def _sums(document: DocumentAccount) -> Iterator[str]:
    currency = document.currency
    terms = format_minor(document.subtotal_minor, currency)
    yield f"Subtotal: {terms}{', the sum of the lines' if document.lines else ''}"
    if document.discount_minor:
        yield f"Discount: {format_minor(document.discount_minor, currency)}, the sum of the lines' shares"
        terms += f" - {format_minor(document.discount_minor, currency)}"
    for group in document.tax_groups:
        yield _tax(group, currency, of_lines=bool(document.lines))
    on_top = sum(group.tax_minor for group in document.tax_groups if not group.inclusive)
    if on_top:
        terms += f" + {format_minor(on_top, currency)}"
    total = format_minor(document.total_minor, currency)
    yield f"Total: {total}" if terms == total else f"Total: {terms} = {total}"
    yield from _outcome(document, total)


def _tax(group: TaxGroup, currency: str, *, of_lines: bool) -> str:
    """A rate's tax: once over the sum of the lines that bear it. A note without lines has a share of its invoice's."""
    base, tax = format_minor(group.base_minor, currency), format_minor(group.tax_minor, currency)
    name = "Tax" if group.code is TaxCode.UNTAXED else f"Tax {plain(group.percent)} %"
    if not group.percent:
        return f"{name} on {base}: {tax}, {_REASONS[group.code]}"
    if not of_lines:
        return f"{name} on {base}: {tax}, the invoice's tax in proportion"
    percent = Fraction(group.percent)
    if not group.inclusive:
        exact = group.base_minor * percent / 100
        return f"{name} of {base}{_result(exact, group.tax_minor, currency)}"
    gross = group.base_minor + group.tax_minor
    share = f"{plain(group.percent)}/{plain(100 + group.percent)}"
    result = _result(gross * percent / (100 + percent), group.tax_minor, currency)
    return f"{name} inside the prices: {share} of {format_minor(gross, currency)}{result}"


def _outcome(document: DocumentAccount, total: str) -> Iterator[str]:
    currency, credit = document.currency, format_minor(document.credit_applied_minor, document.currency)
    if document.kind == "cancellation":
        yield f"Nothing is owed on invoice {document.corrects} any more."
    elif document.status == "refunded":
        yield f"{total} goes back to the payment method that paid invoice {document.corrects}."
    elif document.kind == "credit_note" and document.corrects:
        yield _taken_off(document, total)
    elif document.kind == "credit_note":
        yield f"{total} goes into the customer's credit, which later invoices use first."
    else:
        sums = [total]
        if document.brought_forward_minor:
            brought = format_minor(document.brought_forward_minor, currency)
            yield f"Brought forward: {brought}, which earlier invoices asked for and was too little to be charged"
            sums.append(f"+ {brought}")
        if document.credit_applied_minor:
            yield f"Credit used: {credit}"
            sums.append(f"- {credit}")
        due = format_minor(document.amount_due_minor, currency)
        yield f"Due: {' '.join(sums)} = {due}" if len(sums) > 1 else f"Due: {due}"


def _taken_off(document: DocumentAccount, total: str) -> str:
    """What was owed is not any more; what was paid is credit. Nothing is where a bank has given it back already."""
    credited = document.into_credit_minor
    if credited == document.total_minor:
        return (
            f"{total} of invoice {document.corrects} goes into the customer's credit, which later invoices use first."
        )
    off = format_minor(document.total_minor - credited, document.currency)
    told = f"{off} of invoice {document.corrects} is not owed any more."
    if credited:
        told += f" {format_minor(credited, document.currency)} goes into the customer's credit."
    return told


def _period(start: datetime | None, end: datetime | None) -> str:
    return "" if start is None or end is None else f", {_day(start)} to {_day(end)}"


def _day(instant: datetime) -> str:
    """The date alone where it is midnight in UTC, else the instant."""
    text = format_instant(instant.astimezone(UTC))
    return text.removesuffix("T00:00:00Z")


def _one_line(text: str) -> str:
    """Text of somebody's choice on one line, without what would move a terminal's cursor."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
