"""Tax ids: whether a VAT number has the form and the check digits of the member state that issued it. Nobody is asked.

That a number is registered to the customer, only a register says; this is the check before it. Numbers of Northern
Ireland (XI) and of countries outside the EU are checked by their form alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.util import clean, get_cc_module

from billing.validators.checks import Checks

_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+*]{4,39}", re.ASCII)
_NORTHERN_IRELAND = re.compile(r"XI([0-9]{9}|[0-9]{12}|GD[0-4][0-9]{2}|HA[5-9][0-9]{2})", re.ASCII)

EXAMPLES = {
    number[:2]: number
    for number in """
    ATU13585627 BE0428759497 BG175074752 CY10259033P CZ25123891 DE136695976 DK13585628 EE100594102 EL094259216
    ESB64717838 FI20774740 FR23334175221 HR33392005961 HU12892312 IE6433435F IT00743110157 LT119511515 LU15027442
    LV40003521600 MT11679112 NL004495445B01 PL8567346215 PT501964843 RO18547290 SE123456789701 SI50223054 SK2022749619
    """.split()
}
"""A published number by prefix, of each member state."""

_LIKELIEST = (None, "check_digit", "form")  # of two readings the one that comes closer
_PREFIXES = {"GR": "EL"}
_COUNTRIES = {"EL": "GR"}


@dataclass(frozen=True, slots=True)
class TaxIdCheck:
    """What a check found. `value` is normalised: upper case, nothing between, with the prefix of a member state.

    `country` is the ISO code of the issuer (XI for Northern Ireland), which may differ from the customer's. `method` is
    `stdnum` where check digits were computed, else `form`. `reason` is null where it is valid, else `form` or
    `check_digit`.
    """

    value: str = field(repr=False)
    country: str
    method: str
    reason: str | None = None

    @property
    def valid(self) -> bool:
        return self.reason is None


def read_tax_id(value: str, *, country: str) -> TaxIdCheck:
    """Check a number of a customer in `country` (ISO code), with or without its prefix. Nothing is raised.

    The prefix says who issued it, else `country` did. What is good by either reading is valid, since some numbers begin
    with letters that look like another country's prefix. Outside the EU any 5 to 40 letters and digits will do, except
    a member state's number with a wrong check digit.
    """
    number = clean(value, " \t.-/,:")
    if not _SHAPE.fullmatch(number):
        return TaxIdCheck(number, country, "form", "form")
    number = number.upper()
    found = [_by_member(number, prefix) for prefix in dict.fromkeys((_prefix(number[:2]), _prefix(country)))]
    checks = [check for check in found if check is not None]
    if _NORTHERN_IRELAND.fullmatch(number):
        checks.append(TaxIdCheck(number, "XI", "form"))
    elif number.startswith("XI") and country == "GB":
        checks.append(TaxIdCheck(number, "XI", "form", "form"))
    elif _prefix(country) not in EXAMPLES and not any(check.reason == "check_digit" for check in checks):
        checks.append(TaxIdCheck(number, country, "form"))
    return min(checks, key=lambda check: _LIKELIEST.index(check.reason))


def check_tax_id(checks: Checks, field: str, value: str | None, *, country: str) -> None:
    """Note the one fault of a number of a customer in `country`, or nothing. No fault repeats the number."""
    if not value:
        return
    found = read_tax_id(value, country=country)
    if found.reason == "check_digit":
        checks.fault(field, "tax_id_check_digit", f"compare it with the original: no {found.country} number reads so")
    elif found.reason == "form":
        checks.fault(field, "not_a_tax_id", _mend(found.country))


def _mend(country: str) -> str:
    example = {**EXAMPLES, "XI": "XI123456789"}.get(_prefix(country))
    if example is None:
        return "give 5 to 40 letters and digits, such as DE136695976"
    return f"give the number as {country} issues it, such as {example}"


def _prefix(country: str) -> str:
    return _PREFIXES.get(country, country)


def _by_member(number: str, prefix: str) -> TaxIdCheck | None:
    """The number as one that `prefix` issued; None where that is no member state."""
    if prefix not in EXAMPLES:
        return None
    country = _COUNTRIES.get(prefix, prefix)
    try:
        body = _validator(country)(number)
    except InvalidChecksum:
        return TaxIdCheck(number, country, "stdnum", "check_digit")
    except ValidationError:
        return TaxIdCheck(number, country, "stdnum", "form")
    # The library takes the prefix off all but Romania's. A French number may go on with the letters FR.
    return TaxIdCheck(body if prefix == "RO" and body.startswith(prefix) else prefix + body, country, "stdnum")


def _validator(country: str) -> Callable[[str], str]:
    module = get_cc_module(country.lower(), "vat")
    assert module is not None, f"the library has no numbers of {country}"
    return module.validate
