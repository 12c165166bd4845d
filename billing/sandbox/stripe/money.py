"""Which currencies Stripe charges, in which unit, and how little is too little.

Source: docs.stripe.com/currencies (presentment currencies, zero-decimal and three-decimal lists, minimum amounts).
All amounts are in Stripe's own unit for the currency, which is not always the ISO exponent (ISK and UGX have two).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from billing.sandbox.stripe.errors import invalid

CURRENCIES = frozenset(
    """aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp
    cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk
    jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn
    nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std
    szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw""".split()
)
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
WHOLE_UNITS_ONLY = frozenset("isk ugx".split())
"""Written with two decimals that must be 00."""

MINIMUMS: Mapping[str, int] = {
    **dict.fromkeys("usd aud brl cad chf eur inr nzd sgd hrk".split(), 50),
    **dict.fromkeys("aed myr pln ron".split(), 200),
    **dict.fromkeys("nok sek".split(), 300),
    **dict.fromkeys("mxn thb".split(), 1000),
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "jpy": 50,
}
MAXIMUM = 99_999_999

_FEE_RATE = Fraction(29, 1000)
_FEE_FIXED = 30
DISPUTE_FEE = 1500


def check_amount(amount: int, currency: str, *, minimums: Mapping[str, int], limits: bool = True) -> None:
    """Refuse what Stripe could not charge: unknown currency, too little, too much, a fraction it has no coin for."""
    if limits and currency not in CURRENCIES:
        raise invalid(f"Invalid currency: {currency}.", code="parameter_invalid_string_empty", param="currency")
    if amount < 1:
        raise invalid("This value must be at least 1.", code="parameter_invalid_integer", param="amount")
    if amount < minimums.get(currency, 1):
        least = minimums[currency]
        raise invalid(f"Amount must be at least {least} {currency}.", code="amount_too_small", param="amount")
    if not limits:
        return
    if amount > MAXIMUM:
        raise invalid(f"Amount must be at most {MAXIMUM}.", code="amount_too_large", param="amount")
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS_ONLY else 1
    if amount % step:
        raise invalid(f"Amounts in {currency} are multiples of {step}.", code="invalid_charge_amount", param="amount")


@dataclass(frozen=True, slots=True)
class Moved:
    """What comes to the balance, or leaves it: gross and signed, and the rate where it was charged in another currency.

    `rate`: main units for a main unit, as the object's `exchange_rate` has it.
    """

    amount: int
    currency: str
    rate: float | None = None


def settled(amount: int, currency: str, settlement: Mapping[str, Mapping[str, float]]) -> Moved:
    """What an amount comes to in the balance, rounded half away from 0; as it is where nothing exchanges its currency.

    Source: docs.stripe.com/currencies/disputes-refunds: refunds and disputes go by the rate of their own day.
    """
    for into, rates in settlement.items():
        if currency in rates:
            rate = Fraction(str(rates[currency]))
            exact = abs(amount) * rate * _units(into) / _units(currency)
            return Moved((1 if amount > 0 else -1) * int(exact + Fraction(1, 2)), into, rates[currency])
    return Moved(amount, currency)


def _units(currency: str) -> int:
    """So many smallest units are one."""
    return 1 if currency in ZERO_DECIMAL else 1000 if currency in THREE_DECIMAL else 100


def check_settled(moved: Moved, *, minimums: Mapping[str, int]) -> None:
    """Refuse what converts to less than the least of the balance's currency, as Stripe does."""
    least = minimums.get(moved.currency, 1)
    if moved.rate is not None and moved.amount < least:
        said = f"Amount must convert to at least {least} {moved.currency}, and converts to about {moved.amount}."
        raise invalid(said, code="amount_too_small", param="amount")


def fee_of(amount: int, currency: str) -> int:
    """The stand-in's tariff, 2.9 % and 30 of the smallest unit, rounded half up; never more than the amount."""
    fixed = 0 if currency in ZERO_DECIMAL else _FEE_FIXED
    return min(amount, int(amount * _FEE_RATE + Fraction(1, 2)) + fixed)
