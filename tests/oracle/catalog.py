"""Random sellers, catalogs and customers for the generator."""

from random import Random
from typing import Any

ZONES = (
    "UTC Europe/Berlin America/New_York Asia/Tokyo Australia/Lord_Howe Asia/Kolkata Pacific/Auckland America/St_Johns "
    # Midnight is skipped or comes twice, by half an hour, by two, or the wall clock goes back in summer.
    "America/Santiago Africa/Cairo Asia/Beirut Antarctica/Troll America/Nuuk Africa/Casablanca Pacific/Apia"
).split()
METHODS = (
    "visa declined insufficient_funds lost_card expired_card authentication_required processing_error "
    "timeout_after_charge timeout_before_charge paypal"
).split()
TAX_IDS = {"DE": "DE136695976", "FR": "FR40303265045", "AT": "ATU13585627", "NL": "NL004495445B01"}
COUNTRIES = "DE FR AT NL US CH JP GB".split()
CURRENCIES = "eur eur eur usd jpy kwd bhd isk".split()
RHYTHMS = [("month", 1)] * 9 + [
    ("week", 1),
    ("week", 2),
    ("week", 3),
    ("day", 10),
    ("month", 2),
    ("month", 3),
    ("year", 1),
]
RHYTHMS += [("day", 4), ("week", 52), ("month", 5), ("month", 18), ("year", 2)]
RETRIES = [["3d", "5d", "7d"], ["1d"], ["12h", "36h"], [], ["2d", "2d"], ["7d", "10d", "14d"], ["1h", "1h"], ["60d"]]
RETRIES += [["7d", "7d"], ["14d"], ["10d", "10d"], ["4d", "4d"], ["31d"]]
"""Of some, moments fall together with boundaries."""
ODD = 0.1
"""How often a number is one that few sellers would choose."""
ODD_UNITS = ["0.000000000001", "0.3333333333", "1234.56789", "2.5", 1, 999_999]
ODD_PERCENTS = ["0.001", "33.333", "8.875", "99.99"]


def seller(*, rng: Random) -> dict[str, Any]:
    """A seller, with or without each of its options."""
    found: dict[str, Any] = {
        "country": rng.choice(["DE", "DE", "FR", "AT", "US", "JP", "CH"]),
        "currency": rng.choice(CURRENCIES),
        "timezone": rng.choice(ZONES),
        "proration": rng.choice(["second", "second", "day"]),
        "catch_up": rng.choice(["bill_each", "merge", "skip"]),
    }
    if rng.random() < 0.75:
        found["tax_rates"] = _tax_rates(rng=rng, home=found["country"])
    if rng.random() < 0.75:
        found["dunning"] = {"retries": rng.choice(RETRIES), "final": rng.choice(["cancel", "unpaid", "keep"])}
    return found


def _tax_rates(*, rng: Random, home: str) -> dict[str, Any]:
    standard: dict[str, Any] = {"percent": rng.choice(["19", "20", "7.7", "25", *ODD_PERCENTS])}
    if rng.random() < 0.3:
        standard["inclusive"] = True
    if rng.random() < 0.5:
        standard["countries"] = {country: "21.5" for country in ("FR", "AT") if country != home}
    low = {"percent": rng.choice(["7", "5.5", "0"]), "inclusive": rng.random() < 0.3}
    return {"standard": standard, "low": low}


def _tiers(*, rng: Random, scale: int) -> list[dict[str, Any]]:
    first, second = rng.choice([1, 2, 10]) * scale, rng.choice([20, 35]) * scale
    units = [str(rng.randint(0, 40)), f"{rng.randint(0, 20)}.{rng.randint(1, 9)}", f"0.{rng.randint(1, 99):02d}"]
    bounds = [f"{first}.5" if scale > 1 and rng.random() < 0.3 else first, second, "inf"]
    tiers: list[dict[str, Any]] = [{"up_to": up_to, "unit": unit} for up_to, unit in zip(bounds, units, strict=True)]
    for tier in tiers:
        if rng.random() < 0.4:
            tier["flat"] = rng.randint(0, 300)
        if rng.random() < ODD:
            tier["unit"] = str(rng.choice(ODD_UNITS))
    return tiers


def _model(*, rng: Random, metered: bool) -> dict[str, Any]:
    model = rng.choice(["per_unit"] * 3 + ["flat", "package", "graduated", "volume"])
    if model in {"graduated", "volume"}:
        return {"model": model, "tiers": _tiers(rng=rng, scale=rng.choice([1, 10]) if metered else 1)}
    amount: int | str = rng.randint(100, 9999) if rng.random() < 0.8 else rng.choice([f"{rng.randint(10, 4000)}.5", 0])
    if metered and model == "per_unit":
        amount = rng.choice([rng.randint(1, 40), f"0.{rng.randint(1, 99):02d}"])
    if rng.random() < ODD:
        amount = rng.choice(ODD_UNITS)
    found: dict[str, Any] = {"amount": amount}
    if model != "per_unit":
        found["model"] = model
    if model == "package":
        found["package_size"] = rng.choice([2, 5, 100] if metered else [2, 3])
    return found


def _price(*, rng: Random, name: str, currency: str | None, rhythm: tuple[str, int] | None, metered: bool) -> dict:
    found: dict[str, Any] = {"product": name.upper(), "interval": rhythm[0] if rhythm else None}
    if rhythm and rhythm[1] != 1:
        found["count"] = rhythm[1]
    if currency:
        found["currency"] = currency
    if metered:
        found["usage"] = rng.choice(["sum", "sum", "max", "last"])
    return found | _model(rng=rng, metered=metered)


def prices(*, rng: Random, seller: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Two rhythms in the seller's currency, maybe one in another, and one-off prices of each."""
    first, second = rng.choice(RHYTHMS), rng.choice(RHYTHMS)
    other = rng.choice([c for c in CURRENCIES if c != seller["currency"]]) if rng.random() < 0.4 else None
    groups = [("a", None, first, 3, 2), ("b", None, second, 2, 1)] + ([("c", other, first, 2, 1)] if other else [])
    found = {}
    for prefix, currency, rhythm, licensed, metered in groups:
        for number in range(1, licensed + metered + 1):
            name = f"{prefix}{number}" if number <= licensed else f"{prefix}u{number - licensed}"
            found[name] = _price(rng=rng, name=name, currency=currency, rhythm=rhythm, metered=number > licensed)
    found["once"] = _price(rng=rng, name="once", currency=None, rhythm=None, metered=False)
    if other:
        found["once2"] = _price(rng=rng, name="once2", currency=other, rhythm=None, metered=False)
    for price in found.values():
        if "tax_rates" in seller and rng.random() < 0.25:
            price["tax_rate"] = rng.choice(["standard", "low"])
    return found


def coupons(*, rng: Random) -> dict[str, dict[str, Any]]:
    """One of every duration, by percent or by amount."""
    found: dict[str, dict[str, Any]] = {}
    for name, more in [
        ("once", {}),
        ("some", {"duration": "repeating", "periods": 2}),
        ("ever", {"duration": "forever"}),
    ]:
        size = (
            {"percent": rng.choice(["50", "12.5", "100", "33", *ODD_PERCENTS])}
            if rng.random() < 0.6
            else {"amount": rng.randint(1, 900)}
        )
        found[name] = size | more
    return found


def customers(*, rng: Random, seller: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One to three customers, at home or abroad."""
    found: dict[str, dict[str, Any]] = {}
    for name in ["ann", "bob", "cleo"][: rng.choice([1, 1, 2, 3])]:
        facts: dict[str, Any] = {}
        if rng.random() < 0.6:
            facts["country"] = rng.choice(COUNTRIES)
        if rng.random() < 0.6:
            facts["timezone"] = rng.choice(ZONES)
        if "tax_rates" in seller and facts.get("country") in TAX_IDS and rng.random() < 0.5:
            facts["tax_id"] = TAX_IDS[facts["country"]]
        if rng.random() < 0.95:
            facts["payment_method"] = "visa" if rng.random() < 0.55 else rng.choice(METHODS)
        found[name] = facts
    return found
