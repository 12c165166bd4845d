"""Amounts between our minor units (ISO 4217) and Stripe's, by one table.

Source: docs.stripe.com/currencies, "Zero-decimal currencies" and "Special cases". HUF and TWD are special for payouts
only, so charges in them follow the rule.
"""

from __future__ import annotations

from collections.abc import Mapping

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import exponent

# Zero-decimal at ISO and in our books, yet Stripe wants two decimals that are always 00 (it refuses other amounts).
_TIMES_HUNDRED = frozenset({"isk", "ugx"})
# Two decimals at ISO (1 ariary = 5 iraimbilanja, written as hundredths), none at Stripe.
_HUNDREDTH = frozenset({"mga"})
# Three decimals on both sides, yet the networks carry two: the last digit must be 0.
_TENS_ONLY = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_NO_DECIMALS = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)

LEAST_MINOR: Mapping[str, int] = {
    **dict.fromkeys(("aud", "brl", "cad", "chf", "eur", "inr", "jpy", "nzd", "sgd", "usd"), 50),
    **dict.fromkeys(("aed", "myr", "pln", "ron"), 200),
    **dict.fromkeys(("nok", "sek"), 300),
    **dict.fromkeys(("mxn", "thb"), 1000),
    "gbp": 30,
    "dkk": 250,
    "hkd": 400,
    "czk": 1500,
    "huf": 17500,
}
"""The least that is charged, in our minor units, where a charge settles in its own currency.

Source: docs.stripe.com/currencies, "Minimum and maximum charge amounts". An account that settles in another currency
has that one's minimum, converted: `BILLING_LEAST_CHARGES` names it.
"""

MAX_PROVIDER_AMOUNT = 999_999_999_999
"""Stripe's amounts have at most twelve digits (IDR); most currencies end at eight, which Stripe itself checks."""


def to_provider(amount_minor: int, currency: str, *, documented_only: bool = True) -> int:
    """Our minor units → Stripe's `amount`. `currency` is lower-case ISO 4217.

    `documented_only` False: any currency and number of digits, all of ISO's decimals; only a stand-in takes it.

    Raises `Refused`: `currency_unsupported` (no rule for its decimals), `amount_not_representable` (Stripe cannot
    charge that fraction), `amount_out_of_range` (negative, or more digits than Stripe takes).
    """
    _whole(amount_minor, step_minor(currency, documented_only=documented_only), currency)
    amount = amount_minor
    if currency in _TIMES_HUNDRED:
        amount = amount_minor * 100
    elif currency in _HUNDREDTH and documented_only:
        amount = amount_minor // 100
    if amount < 0 or (documented_only and amount > MAX_PROVIDER_AMOUNT):
        raise Refused(Fault("amount_minor", "amount_out_of_range", "charge a smaller, positive amount"))
    return amount


def step_minor(currency: str, *, documented_only: bool = True) -> int:
    """It moves whole multiples of so many of our minor units. `documented_only`, what is raised: as `to_provider`."""
    if not documented_only:
        return 1
    if currency in _HUNDREDTH:
        return 100
    _check_supported(currency)
    return 10 if currency in _TENS_ONLY else 1


def from_provider(amount: int, currency: str, *, documented_only: bool = True) -> int:
    """Stripe's `amount` → our minor units; `documented_only` as it was sent.

    Raises `Refused` (`unknown_currency`, `amount_not_representable`).
    """
    exponent(currency)
    if currency in _TIMES_HUNDRED:
        return _whole(amount, 100, currency)
    if currency in _HUNDREDTH and documented_only:
        return amount * 100
    return amount


def _check_supported(currency: str) -> None:
    if exponent(currency) == 2 or currency in _NO_DECIMALS | _TIMES_HUNDRED | _TENS_ONLY:
        return
    mend = "choose a currency whose decimals Stripe documents"
    raise Refused(Fault("currency", "currency_unsupported", mend))


def _whole(amount: int, step: int, currency: str) -> int:
    if amount % step:
        mend = f"Stripe charges {currency.upper()} in steps of {step} of these units"
        raise Refused(Fault("amount_minor", "amount_not_representable", mend))
    return amount // step
