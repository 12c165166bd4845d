"""Makes `company.yaml`: a software house with customers in thirteen countries, for the demo. Nobody in it is real.

    python examples/make_company.py [CUSTOMERS] > examples/company.yaml

The same number gives the same file. Names, streets and towns are words for "example"; tax ids have the
right form and check digits, made at random.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from billing.kernel.clock import format_instant
from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.validators.tax_id import read_tax_id

SEED = 2026
DAYS = (1, 2, 5, 9, 12, 15, 18, 21, 25, 28, 29, 30, 31)
GOOD_CARDS = ("pm_card_visa", "pm_card_visa", "pm_card_mastercard", "pm_card_amex")
FAILING_CARDS = (
    "pm_card_chargeDeclined",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedInsufficientFunds",
    "pm_card_chargeDeclinedLostCard",
    "pm_card_chargeDeclinedExpiredCard",
    "pm_card_authenticationRequired",
    "pm_sandbox_processingError",
    "pm_sandbox_timeoutAfterCharge",
    "pm_sandbox_timeoutBeforeCharge",
    "pm_sandbox_declineThenSucceed",
)
AT_PAYPAL = 8
"""One customer in so many pays by a wallet."""
WALLETS = {
    "pm_card_visa": "B-SANDBOX-GOOD",
    "pm_card_mastercard": "B-SANDBOX-OTHER",
    "pm_card_amex": "B-SANDBOX-GOOD",
    "pm_card_chargeDeclined": "B-SANDBOX-DECLINED",
    "pm_card_chargeDeclinedInsufficientFunds": "B-SANDBOX-NOFUNDS",
    "pm_card_chargeDeclinedLostCard": "B-SANDBOX-LOST",
    "pm_card_chargeDeclinedExpiredCard": "B-SANDBOX-EXPIRED",
    "pm_card_authenticationRequired": "B-SANDBOX-ACTION",
    "pm_sandbox_processingError": "B-SANDBOX-FAULT",
    "pm_sandbox_timeoutAfterCharge": "B-SANDBOX-TIMEOUTAFTER",
    "pm_sandbox_timeoutBeforeCharge": "B-SANDBOX-TIMEOUTBEFORE",
    "pm_sandbox_declineThenSucceed": "B-SANDBOX-DECLINEONCE",
}
"""By card: the wallet at PayPal's stand-in that behaves so."""
FAILING_SHARE = 0.12
BUSINESS_SHARE = 0.4
MOVED_IN_SHARE = 0.04
SECOND_SHARE = 0.06

Digits = Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Country:
    """Where customers live, what they pay in, and how things are written there."""

    code: str
    weight: int
    currency: str
    timezone: str
    given_names: tuple[str, ...]
    family_names: tuple[str, ...]
    firm: str
    street: str
    town: str
    postal_code: str
    """# stands for a digit, @ for a letter."""
    tax_id: str


COUNTRIES = (
    Country("DE", 26, "eur", "Europe/Berlin", ("Anna", "Jörg", "Ümit", "Käthe"), ("Beispiel", "Mustermann", "Probe"),
            "Muster & Söhne GmbH", "Beispielweg", "Musterstadt", "1####", "DE#########"),
    Country("FR", 12, "eur", "Europe/Paris", ("Élodie", "François", "Zoé"), ("Exemple", "Modèle", "L'Échantillon"),
            "Société Exemple SARL", "rue de l'Exemple", "Ville-Modèle", "75###", "FR###########"),
    Country("NL", 7, "eur", "Europe/Amsterdam", ("Sanne", "Daan"), ("van Voorbeeld", "de Proef"),
            "Voorbeeld B.V.", "Voorbeeldstraat", "Proefdam", "1### @@", "NL#########B##"),
    Country("AT", 5, "eur", "Europe/Vienna", ("Leni", "Xaver"), ("Beispieler", "Probe"),
            "Probe OG", "Mustergasse", "Musterdorf", "1###", "ATU########"),
    Country("ES", 6, "eur", "Europe/Madrid", ("Íñigo", "Begoña"), ("Ejemplo", "de la Muestra"),
            "Ejemplos S.L.", "Calle del Ejemplo", "Villamuestra", "28###", "ESB########"),
    Country("IT", 6, "eur", "Europe/Rome", ("Chiara", "Niccolò"), ("Esempio", "Campione"),
            "Esempio S.r.l.", "Via dell'Esempio", "Campionara", "00###", "IT###########"),
    Country("PL", 4, "eur", "Europe/Warsaw", ("Łucja", "Żaneta"), ("Przykładowa", "Wzór"),
            "Przykład Sp. z o.o.", "ul. Przykładowa", "Wzorowo", "00-###", "PL##########"),
    Country("GR", 4, "eur", "Europe/Athens", ("Ελένη", "Νίκος"), ("Παράδειγμα", "Δειγματίδης"),
            "Παράδειγμα Α.Ε.", "Οδός Παραδείγματος", "Δείγμα", "10###", "EL#########"),
    Country("BG", 3, "eur", "Europe/Sofia", ("Мария", "Георги"), ("Примерова", "Образцов"),
            "Пример ООД", "ул. Примерна", "Образцово", "1###", "BG#########"),
    Country("CH", 4, "eur", "Europe/Zurich", ("Urs", "Regula"), ("Beispiel-Muster", "Vorlage"),
            "Muster AG", "Beispielstrasse", "Musterlingen", "8###", "CHE-###.###.### MWST"),
    Country("US", 12, "usd", "America/New_York", ("Avery", "Jordan"), ("Example", "Sample-Doe"),
            "Example Holdings LLC", "Sample Avenue", "Exampleville", "1####", "##-#######"),
    Country("GB", 7, "gbp", "Europe/London", ("Isla", "Rhys"), ("Example", "Specimen"),
            "Specimen Ltd", "Example Road", "Sampleton", "EX# #@@", "GB#########"),
    Country("JP", 4, "jpy", "Asia/Tokyo", ("花子", "太郎"), ("見本", "例示"),
            "株式会社見本", "見本町", "例示市", "1##-####", "T#############"),
)  # fmt: skip

VAT = {"FR": "20", "NL": "21", "AT": "20", "ES": "21", "IT": "22", "PL": "23", "GR": "24", "BG": "20", "IE": "23",
       "SE": "25", "BE": "21", "LU": "17"}  # fmt: skip

AMOUNTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "basic": {"eur": ("900", "9000"), "usd": ("990", "9900"), "gbp": ("790", "7900"), "jpy": ("1400", "14000")},
    "team": {"eur": ("2450", "24500"), "usd": ("2650", "26500"), "gbp": ("2150", "21500"), "jpy": ("3900", "39000")},
    "archive": {"eur": ("0.75", "9"), "usd": ("0.8", "9.6"), "gbp": ("0.65", "7.8"), "jpy": ("0.12", "1.44")},
}
"""Minor units of a month and a year, by product and currency. A document in the archive costs a fraction of one."""

NAMES = {"basic": "Nordlicht Basic", "team": "Nordlicht Team, a seat", "archive": "Nordlicht Archive, a document"}


def main() -> None:
    """Write the file to standard output."""
    customers = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    sys.stdout.write("\n".join(lines(customers)) + "\n")


def lines(customers: int) -> Iterator[str]:
    """The file, line by line."""
    chance = random.Random(SEED)  # noqa: S311 (a repeatable file, not a secret)
    yield "# Made by examples/make_company.py. Nobody in this file is real."
    yield "sellers:"
    address = {"line1": "Beispielkai 1", "city": "Musterhafen", "postal_code": "24103"}
    # A provider's test card is one card for all who use it, and no network counts it.
    yield _entry(code="NORD", legal_name="Nordlicht Software GmbH", country="DE", currency="eur",
                 timezone="Europe/Berlin", tax_id="DE000000011", address=address,
                 dunning={"card_limit": "off"})  # fmt: skip
    yield "tax_rates:"
    yield _entry(name="standard", percent="19", countries=VAT)
    yield "products:"
    for code, name in NAMES.items():
        yield _entry(code=code, name=name)
    yield "prices:"
    for product, by_currency in AMOUNTS.items():
        for currency, amounts in by_currency.items():
            for interval, amount in zip(("month", "year"), amounts, strict=True):
                yield _entry(code=f"{product}-{interval}-{currency}", product=product, currency=currency,
                             unit_amount=amount, interval=interval, tax_rate="standard")  # fmt: skip
    places = chance.choices(COUNTRIES, [country.weight for country in COUNTRIES], k=customers)
    yield "customers:"
    for number, country in enumerate(places, start=1):
        yield _customer(chance, number, country)
    yield "subscriptions:"
    for number, country in enumerate(places, start=1):
        yield from _subscriptions(chance, number, country)


def _customer(chance: random.Random, number: int, country: Country) -> str:
    business = chance.random() < BUSINESS_SHARE
    person = f"{chance.choice(country.given_names)} {chance.choice(country.family_names)}"
    cards = FAILING_CARDS if chance.random() < FAILING_SHARE else GOOD_CARDS
    values: dict[str, object] = {
        "account_id": f"acct-{number:04d}",
        "name": f"{country.firm} ({number})" if business else person,
        "email": f"customer{number:04d}@example.com",
        "country": country.code,
        "timezone": country.timezone,
        "address": {
            "line1": f"{country.street} {chance.randint(1, 99)}",
            "city": country.town,
            "postal_code": _filled(chance, country.postal_code),
        },
        "provider_payment_method_id": chance.choice(cards),
        "consent_at": f"2025-12-{chance.randint(1, 28):02d}T{chance.randint(8, 20):02d}:00:00Z",
        "consent_version": "2025-11",
    }
    if number % AT_PAYPAL == 3:
        values["provider"] = "paypal"
        values["provider_payment_method_id"] = WALLETS[str(values["provider_payment_method_id"])]
    if business:
        values["buyer_kind"] = "business"
        values["tax_id"] = _valid(_filled(chance, country.tax_id), number, country)
    return _entry(**values)


def _subscriptions(chance: random.Random, number: int, country: Country) -> Iterator[str]:
    product = chance.choices(("basic", "team", "archive"), (5, 4, 1))[0]
    yield _subscription(chance, f"sub-{number:04d}", number, country, product)
    if chance.random() < SECOND_SHARE:
        yield _subscription(
            chance, f"sub-{number:04d}-b", number, country, "archive" if product != "archive" else "team"
        )


def _subscription(chance: random.Random, code: str, number: int, country: Country, product: str) -> str:
    interval = chance.choices(("month", "year"), (4, 1))[0]
    quantity = {"basic": 1, "team": chance.randint(2, 40), "archive": chance.randint(2_000, 90_000)}[product]
    day = chance.choice(DAYS)
    start = datetime(2026, 1, day, tzinfo=UTC)
    values: dict[str, object] = {
        "code": code,
        "customer": f"acct-{number:04d}",
        "items": [{"price": f"{product}-{interval}-{country.currency}", "quantity": quantity}],
    }
    if chance.random() < MOVED_IN_SHARE:
        anchor = start.replace(year=2025)
        unit = IntervalUnit(interval)
        periods = chance.randint(13, 15) if unit is IntervalUnit.MONTH else 1
        values["anchor"] = f"{anchor:%Y-%m-%d}"
        values["timezone"] = "UTC"
        values["paid_through"] = format_instant(boundary(anchor, "UTC", Interval(unit), periods))
    else:
        values["start"] = f"{start:%Y-%m-%d}"
        # Most are billed by the UTC day; those of the 15th by the customer's own, clock changes included.
        if day != 15:
            values["timezone"] = "UTC"
    return _entry(**values)


def _valid(tax_id: str, number: int, country: Country) -> str:
    """The number, or the next one at random whose check digits are right."""
    further = random.Random(number)  # noqa: S311 (as above)
    while not read_tax_id(tax_id, country=country.code).valid:
        tax_id = _filled(further, country.tax_id)
    return tax_id


def _filled(chance: random.Random, pattern: str) -> str:
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    return "".join(
        str(chance.randint(0, 9)) if sign == "#" else chance.choice(letters) if sign == "@" else sign
        for sign in pattern
    )


def _entry(**values: object) -> str:
    return "  - {" + ", ".join(f"{name}: {_value(value)}" for name, value in values.items()) + "}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(name))}: {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
