"""Letters: every form in every language, from the same values, in plain text and in HTML that escapes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from babel import Locale

from billing.mail.letter import Content, wordings, write
from billing.rules.dunning import Need
from billing.rules.language import LANGUAGES, language_of
from billing.writing.amounts import money

FORMS = [
    "renewal_upcoming", "payment_failed", *map(str, Need), "payment_recovered", "ended_canceled", "ended_open",
    "debit_upcoming", "debit_again", "debit_failed", "debit_refused",
    "invoice_issued", "invoice_to_pay", "note_issued", "cancellation_issued", "receipt",
]  # fmt: skip
OF_A_DAY = ("renewal_upcoming", "debit_upcoming", "debit_again")
FULL = Content(
    name="Käthe <b>O'Neill</b>",
    seller="Nordlicht & Co",
    country="DE",
    zone="Europe/Berlin",
    amount_minor=123450,
    currency="eur",
    number="NORD-17",
    at=datetime(2026, 2, 3, 23, 30, tzinfo=UTC),
    card="Visa •••• 4242",
    mandate="MNDT-1",
    creditor="DE98ZZZ09999999999",
    link="https://pay.example.com/pay/abc",
)


def variables(text: str) -> set[str]:
    return set(re.findall(r"{{ (\w+) }}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things_of_the_same_values(language: str) -> None:
    one, other = wordings("en"), wordings(language)
    assert set(one) == set(other)
    for form in FORMS:
        assert set(one[form]) == set(other[form]), form
        assert len(one[form]["body"]) == len(other[form]["body"]), form
        for there, here in zip([one[form]["subject"], *one[form]["body"]],
                               [other[form]["subject"], *other[form]["body"]], strict=True):  # fmt: skip
            assert variables(there) == variables(here), form


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_a_letter_is_whole_with_all_that_it_may_speak_of_and_with_nothing_of_it(form: str, language: str) -> None:
    letter = write(form, FULL, language=language)
    assert "Käthe <b>O'Neill</b>" in letter.text
    assert "<b>" not in letter.html
    assert "Nordlicht &amp; Co" in letter.html
    assert "\n" not in letter.subject
    has_action = "action" in wordings(language)[form]
    assert ("https://pay.example.com/pay/abc" in letter.text) is has_action
    assert ("https://pay.example.com/pay/abc" in letter.html) is has_action
    bare = write(form, Content(name="A", seller="B", country="DE", zone="UTC", amount_minor=1, currency="eur",
                               number="N-1", at=FULL.at if form in OF_A_DAY else None),
                 language=language)  # fmt: skip
    for text in (letter.text, bare.text, letter.subject, bare.subject):
        assert "None" not in text
        assert "{" not in text
        assert "  " not in text
    assert (wordings(language)["without_link"].replace("{{ seller }}", "B") in bare.text) is has_action


def test_no_letter_has_words_for_a_reason_of_the_bank() -> None:
    for language in LANGUAGES:
        said = str(wordings(language)).lower()
        for word in (
            "fraud",
            "betrug",
            "fraude",
            "stolen",
            "gestohlen",
            "volée",
            "robada",
            "lost",
            "verloren",
            "funds",
        ):
            assert word not in said, (language, word)


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "written"),
    [
        (123450, "eur", "de_DE", "1.234,50 €"),
        (123450, "eur", "en_IE", "€1,234.50"),
        (1234, "jpy", "en", "¥1,234"),
        (1234, "usd", "es_MX", "USD 12.34"),
        (1234567, "kwd", "en", "KWD 1,234.567"),
        # CLDR writes these without decimals; an invoice has them.
        (1234, "huf", "de", "12,34 HUF"),
        (1234, "rsd", "fr", "12,34 RSD"),
    ],
)
def test_money_has_the_digits_of_iso_4217_and_the_manner_of_the_place(
    minor: int, currency: str, locale: str, written: str
) -> None:
    assert money(minor, currency, Locale.parse(locale)).replace("\xa0", " ").replace("\u202f", " ") == written


@pytest.mark.parametrize(
    ("country", "language", "day"),
    [
        ("DE", "de", "4. Februar 2026"),
        ("US", "en", "February 4, 2026"),
        ("GB", "en", "4 February 2026"),
        ("FR", "fr", "4 février 2026"),
        ("ES", "es", "4 de febrero de 2026"),
        ("JP", "en", "February 4, 2026"),
    ],
)
def test_a_day_is_that_of_the_customers_zone_in_the_manner_of_the_country(
    country: str, language: str, day: str
) -> None:
    assert language_of(country) == language
    content = Content(name="A", seller="B", country=country, zone="Europe/Berlin", at=FULL.at)
    assert day in write("renewal_upcoming", content, language=language).subject
