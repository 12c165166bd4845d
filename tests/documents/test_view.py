"""A document in words: each language says everything, days are days on paper, nets add up to their base."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from billing.documents.nets import nets
from billing.documents.page import page
from billing.documents.view import view, wording
from billing.kernel.money import divide_half_away
from billing.rules.language import LANGUAGES
from billing.writing.amounts import number
from tests.documents.samples import SELLER, document, group, line


def shape(words: object) -> object:
    return {key: shape(value) for key, value in words.items()} if isinstance(words, dict) else None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    assert shape(wording(language)) == shape(wording("en"))


def test_an_invoice_names_both_parties_its_days_its_lines_and_the_tax_of_each_rate() -> None:
    books = line(tax_percent=Decimal(7), amount_minor=1000, quantity=Decimal(2), unit_amount=Decimal(500))
    made = document(
        [line(discount_minor=300), books],
        [group(2700, 513), group(1000, 70, percent=Decimal(7))],
        credit_applied_minor=283,
        amount_due_minor=4000,
    )
    told = view(made, language="de")
    assert told.title == "Rechnung ACME-000042"
    assert (told.seller.name, told.seller.tax_id) == ("Nordlicht Software GmbH", "USt-IdNr. DE136695976")
    assert told.buyer.lines == ("Weg 1", "Bonn", "Deutschland")
    assert dict(told.facts)["Leistungszeitraum"] == "01.01.2026 – 31.01.2026"
    first = told.rows[0]
    assert (first.quantity, first.unit, first.rate, first.net) == ("3", "10,00\xa0€", "19\xa0%", "27,00\xa0€")
    assert "Rabatt -3,00\xa0€" in first.details
    assert told.sums[1:] == (
        ("USt. 19\xa0% auf 27,00\xa0€", "5,13\xa0€"),
        ("USt. 7\xa0% auf 10,00\xa0€", "0,70\xa0€"),
    )
    assert told.total == ("Gesamtbetrag", "42,83\xa0€")
    assert told.after[1] == ("Zu zahlen", "40,00\xa0€")
    # Paid at 23:30 UTC, which is the next day where the seller keeps its books.
    assert told.state == "Bezahlt: 42,83\xa0€ am 03.01.2026. Vielen Dank."


def test_what_is_brought_forward_stands_beneath_the_total_and_what_is_carried_forward_in_the_state() -> None:
    facts = {"brought_forward_minor": 24, "amount_due_minor": 3594, "amount_paid_minor": 0}
    made = document([line()], [group(3000, 570)], **facts)
    told = view(replace(made, amount_carried_forward_minor=3594), language="en")
    assert told.total == ("Total", "35,70\xa0€")
    assert told.after == (("Brought forward from earlier invoices", "0,24\xa0€"), ("Amount due", "35,94\xa0€"))
    assert told.state == "35,94\xa0€ is less than can be charged; your next invoice asks for it."


def test_of_an_invoice_that_was_paid_but_for_a_fraction_both_are_said() -> None:
    made = document([line()], [group(12_340, 2345)], currency="kwd", amount_paid_minor=14_680)
    told = view(replace(made, amount_carried_forward_minor=5), language="en")
    paid, rest = "Paid: 14,680\xa0KWD on 3 Jan 2026. Thank you.", "0,005\xa0KWD is less than can be charged"
    assert told.state == f"{paid} {rest}; your next invoice asks for it."


def test_reverse_charge_and_tax_in_the_sellers_currency_are_said() -> None:
    made = document(
        [line(tax_percent=Decimal(0), tax_code="reverse_charge")],
        [group(3000, 0, percent=Decimal(0), code="reverse_charge")],
        country="FR",
        currency="usd",
        legal_notes=["reverse_charge"],
        seller_tax={"tax_minor": 0, "currency": "eur", "rate": "0.9", "source": "ECB", "date": "2026-01-01"},
    )
    reverse, tax = view(made, language="fr").notes
    assert reverse.startswith("Autoliquidation")
    assert "ECB, 2026-01-01" in tax


def test_what_is_given_back_of_a_change_reads_otherwise_than_what_is_charged() -> None:
    how = {"proration": "second", "left": 1, "whole": 4}
    lines = [
        line(kind="proration_credit", amount_minor=-750, how=how),
        line(kind="proration_charge", amount_minor=2250, how=how),
    ]
    told = view(document(lines, [group(1500, 285)]), language="de")
    assert [row.details[-1] for row in told.rows] == ["Gutschrift für ungenutzte Zeit, 25 %", "anteilig 25 %"]


def test_a_credit_note_names_its_invoice_and_has_a_line_for_each_rate_where_it_has_none() -> None:
    made = document(
        [], [group(1000, 190)], kind="credit_note", status="refunded", number="ACME-CN-000003", corrects="ACME-000042",
        corrects_issued_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    told = view(made, language="en")
    assert told.title == "Credit note ACME-CN-000003"
    assert dict(told.facts)["Corrects invoice"].startswith("ACME-000042, ")
    assert [row.description for row in told.rows] == ["Correction of invoice ACME-000042"]


def test_a_line_that_gives_back_names_the_invoice_that_charged_it() -> None:
    back = line(
        kind="proration_credit", amount_minor=750, corrects="ACME-000041",
        corrects_issued_at=datetime(2025, 12, 31, 23, tzinfo=UTC),
    )  # fmt: skip
    told = view(document([back], [group(750, 142)], kind="credit_note", status="credited"), language="de")
    assert told.rows[0].details[-1] == "Korrigiert Rechnung ACME-000041, 01.01.2026"


@pytest.mark.parametrize(("inclusive", "said"), [(True, "-1,19\xa0€ (VAT included)"), (False, "-1,19\xa0€")])
def test_a_discount_that_has_tax_in_it_says_so(inclusive: bool, said: str) -> None:  # noqa: FBT001
    cut = line(amount_minor=1190, discount_minor=119, tax_inclusive=inclusive)
    base, tax = (900, 171) if inclusive else (1071, 203)
    told = view(document([cut], [group(base, tax, inclusive=inclusive)]), language="en")
    assert told.rows[0].details[-1] == f"Discount {said}"


@pytest.mark.parametrize(
    ("by_itself", "said"),
    [
        (True, "35,70\xa0€ is collected from your payment method; there is nothing that you need to do."),
        (False, "Please pay 35,70\xa0€."),
    ],
)
def test_what_no_longer_comes_by_itself_asks_to_be_paid(by_itself: bool, said: str) -> None:  # noqa: FBT001
    owed = document([line()], [group(3000, 570)], status="open", amount_remaining_minor=3570, by_itself=by_itself)
    assert view(owed, language="en").state == said


def test_nothing_is_said_to_be_paid_where_a_note_has_taken_the_debt_away() -> None:
    told = view(document([line()], [group(3000, 570)], amount_paid_minor=0), language="en")
    assert told.state == "Nothing is left to pay."


@given(st.lists(st.integers(-5000, 50_000), min_size=1, max_size=8), st.sampled_from(["19", "7", "5.5", "25.5"]))
def test_nets_of_prices_that_include_tax_add_up_to_the_base(amounts: list[int], percent: str) -> None:
    gross, rate = sum(amounts), Decimal(percent)
    numerator, denominator = rate.as_integer_ratio()
    tax = divide_half_away(gross * numerator, denominator * 100 + numerator)
    lines = [line(amount_minor=each, tax_inclusive=True, tax_percent=rate) for each in amounts]
    made = document(lines, [group(gross - tax, tax, percent=rate, inclusive=True)])
    assert sum(nets(made)) == gross - tax


def test_a_percent_is_told_once_whether_it_was_in_the_price_or_on_top() -> None:
    on_top, inside = line(amount_minor=4432), line(amount_minor=1190, tax_inclusive=True)
    told = view(document([on_top, inside], [group(4432, 842), group(1000, 190, inclusive=True)]), language="de")
    assert told.sums == (("Nettosumme", "54,32\xa0€"), ("USt. 19\xa0% auf 54,32\xa0€", "10,32\xa0€"))
    zero = {"percent": Decimal(0)}
    free = [
        group(4432, 0, code="reverse_charge", **zero),
        group(1190, 0, code="reverse_charge", inclusive=True, **zero),
    ]
    known = {"tax_code": "reverse_charge", "tax_percent": Decimal(0)}
    lines = [line(amount_minor=each.base_minor, tax_inclusive=each.inclusive, **known) for each in free]
    assert len(view(document(lines, free), language="fr").sums) == 2


def test_a_page_escapes_what_people_wrote() -> None:
    written = page(view(document([line(description="<script>x</script>")], [group(3000, 570)]), language="en"))
    assert "<script" not in written
    assert "Käthe &lt;b&gt;Müller&lt;/b&gt;" in written


def test_of_packages_as_many_are_charged_as_the_unit_price_is_for() -> None:
    how = {"model": "package", "package_size": 100, "packages": 174, "unit": "199.5"}
    used = line(quantity=Decimal("17346.178"), unit_amount=Decimal("199.5"), amount_minor=34_713, how=how)
    (row,) = view(document([used], [group(34_713, 6595)]), language="en").rows
    assert (row.quantity, row.unit, row.net) == ("174", "1,995\xa0€", "347,13\xa0€")
    assert row.details[1] == "17.346,178 in packages of 100"


@pytest.mark.parametrize(
    ("exact", "written"),
    [
        ("12.500", "12,5"),
        ("1E+3", "1.000"),
        ("1234567890123456789.123456789012", "1.234.567.890.123.456.789,123456789012"),
        ("1234567890123456789012345678901.5", "1.234.567.890.123.456.789.012.345.678.901,5"),
    ],
)
def test_a_quantity_is_written_with_all_its_digits(exact: str, written: str) -> None:
    assert number(Decimal(exact), Locale("de")) == written


@pytest.mark.parametrize(
    ("country", "code", "rate", "tax_on", "tax_id"),
    [
        ("US", "domestic", "Tax", "Tax 8,625\xa0% on 30,00\xa0€", "Tax no. DE136695976"),
        ("US", "destination", "VAT", "VAT 8,625\xa0% on 30,00\xa0€", "VAT no. DE136695976"),
        ("GB", "domestic", "VAT", "VAT 8,625\xa0% on 30,00\xa0€", "VAT no. DE136695976"),
    ],
)
def test_a_tax_is_called_vat_where_it_is_one(country: str, code: str, rate: str, tax_on: str, tax_id: str) -> None:
    percent = Decimal("8.625")
    sold = document([line(tax_code=code, tax_percent=percent)], [group(3000, 259, percent=percent, code=code)])
    told = view(replace(sold, seller={**sold.seller, "country": country}), language="en")
    assert (told.columns[3], told.sums[-1][0], told.seller.tax_id) == (rate, tax_on, tax_id)


WAITS = {"status": "open", "collection": "send_invoice", "amount_remaining_minor": 3570}
OF_A_BANK = SELLER | {"payment_instructions": "Beispielbank\nDE89370400440532013000"}


def test_who_is_to_pay_by_themselves_reads_how_and_what_to_quote() -> None:
    made = document([line()], [group(3000, 570)], seller=OF_A_BANK, **WAITS)
    told = view(made, language="en")
    assert told.payment == ("Please quote ACME-000042 when you pay:", "Beispielbank", "DE89370400440532013000")
    assert '<span dir="auto">DE89370400440532013000</span>' in page(told)


@pytest.mark.parametrize(
    "otherwise",
    [{"collection": "automatic"}, {"status": "paid"}, {"status": "void"}, {"kind": "credit_note"}, {"seller": SELLER}],
)
def test_who_need_not_pay_or_is_charged_reads_nothing_of_how_to(otherwise: dict[str, object]) -> None:
    made = document([line()], [group(3000, 570)], **{"seller": OF_A_BANK, **WAITS, **otherwise})
    assert view(made, language="en").payment == ()


def test_what_the_sellers_law_asks_for_besides_stands_below_every_document() -> None:
    seller = SELLER | {"document_footer": "HRB 1 <b>Musterstadt</b>\nN. Nord"}
    for kind in ("invoice", "credit_note", "cancellation"):
        told = view(document([line()], [group(3000, 570)], kind=kind, seller=seller), language="de")
        assert told.imprint == ("HRB 1 <b>Musterstadt</b>", "N. Nord")
        assert "HRB 1 &lt;b&gt;Musterstadt&lt;/b&gt;" in page(told)
    assert view(document([line()], [group(3000, 570)]), language="de").imprint == ()
