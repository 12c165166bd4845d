"""Money: integer minor units with the currency beside them. Every division names its rounding; there are no floats.

The exponents are ISO 4217's, kept here as a table because importing them from the library costs each process 40 ms; a
test compares the two. A provider's own exponents differ and stay in its adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from billing.kernel.errors import Fault, Refused

_ZERO = "bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf"
_TWO = """
aed afn all amd aoa ars aud awg azn bam bbd bdt bmd bnd bob bov brl bsd btn bwp byn bzd cad cdf che chf chw
cny cop cou crc cup cve czk dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gtq gyd hkd hnl htg huf
idr ils inr irr jmd kes kgs khr kpw kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mru mur mvr mwk
mxn mxv myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sdg sek sgd shp
sle sos srd ssp stn svc syp szl thb tjs tmt top try ttd twd tzs uah usd usn uyu uzs ved ves wst xad xcd xcg
yer zar zmw zwg
"""
_THREE = "bhd iqd jod kwd lyd omr tnd"

EXPONENTS: dict[str, int] = {
    code: digits for digits, codes in ((0, _ZERO), (2, _TWO), (3, _THREE)) for code in codes.split()
}
"""Digits after the decimal point by lower-case ISO code. Codes without an exponent (gold, test codes) are absent."""


MOST_AMOUNT = 10**15 - 1
"""Minor units: the most that an amount that is given, a line, or the price of a period may be."""
MOST_TOTAL = 2**53 - 1
"""Minor units: the most that a document may come to, the largest whole number that every reader of JSON keeps
(RFC 8259, section 6)."""


def exponent(currency: str) -> int:
    """Digits after the decimal point of the lower-case ISO 4217 code. Raises `Refused` (`unknown_currency`)."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        fault = Fault("currency", "unknown_currency", "give a lower-case ISO 4217 code with 0, 2 or 3 decimals")
        raise Refused(fault) from None


def divide_half_away(numerator: int, denominator: int) -> int:
    """`numerator` ÷ `denominator`, rounded to the nearest whole, halves away from zero."""
    if denominator == 1:
        return numerator
    if (numerator < 0) is not (denominator < 0):
        return -((2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator)))
    return (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))


def round_half_away(value: Fraction | int) -> int:
    """The nearest whole number, halves away from zero."""
    return divide_half_away(value.numerator, value.denominator)


def share(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Split `total_minor` in proportion to `weights`, to the last minor unit, by largest remainder.

    Of equal remainders the later one gets the unit. A weight may be negative (a credit among the lines of a discount's
    base), and so may their sum (those of a credit note); it must not be 0 unless the total is, else `ValueError`.
    Source: the scenario contract, rule 8.
    """
    if total_minor == 0:
        return [0] * len(weights)
    if total_minor < 0:
        return [-part for part in share(-total_minor, weights)]
    whole = sum(weights)
    if whole == 0:
        raise ValueError("the weights of a shared amount must not add up to 0")
    if whole < 0:
        return share(total_minor, [-weight for weight in weights])
    parts = []
    remainders = []
    for place, weight in enumerate(weights):
        part, remainder = divmod(total_minor * weight, whole)
        parts.append(part)
        remainders.append((remainder, place))
    left = total_minor - sum(parts)
    if left:
        remainders.sort(reverse=True)
        for _, place in remainders[:left]:
            parts[place] += 1
    return parts


def whole_steps(amount_minor: int, step_minor: int) -> int:
    """The part of it that a provider can move which moves money in such steps."""
    return amount_minor - amount_minor % step_minor


def format_minor(minor: int, currency: str) -> str:
    """Plain text for logs and the command line, the same in every locale: 1234, "eur" → "12.34 EUR"."""
    return f"{decimal_minor(minor, currency)} {currency.upper()}"


def decimal_minor(minor: int, currency: str) -> str:
    """The amount alone, in the currency's main unit: 1234, "eur" → "12.34"."""
    digits = exponent(currency)
    sign = "-" if minor < 0 else ""
    if digits == 0:
        return f"{sign}{abs(minor)}"
    whole, rest = divmod(abs(minor), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}"


def plain(value: Decimal) -> str:
    """The number as text, without exponent and trailing zeros: 1E+3 → "1000", 0.50 → "0.5"."""
    text = f"{value:f}" if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text
