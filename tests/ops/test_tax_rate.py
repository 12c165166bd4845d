"""`billing tax-rate`: what rates are and will be, changed by a command a day, with a name and a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from billing.models import AuditRecord
from billing.ops.importing import import_file
from billing.ops.tax_rate import tax_rate
from tests.ops.conftest import Desk

NORD = """
sellers:
  - {code: NORD, legal_name: Nordlicht GmbH, country: DE, currency: eur}
tax_rates:
  - {seller: NORD, name: standard, percent: 19, countries: {FR: 20}}
  - {seller: NORD, name: reduced, percent: 7}
"""
OF = ("--seller", "NORD")
WHY = ("--reason", "the law of 3 June", "--by", "ada")


@pytest.fixture
def nord(desk: Desk) -> Desk:
    assert desk.run(import_file, desk.write("a.yaml", NORD)).exit_code == 0
    return desk


def _change(desk: Desk, day: str, *more: str, verb: str = "change") -> tuple[int, str]:
    made = desk.run(tax_rate, verb, "standard", *OF, "--from", day, *more, *WHY)
    return made.exit_code, str(made.exception or "") + made.output


def _rate(desk: Desk) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(desk.run(tax_rate, "show", "standard", *OF, "--json").output)
    return shown


def _trail(desk: Desk) -> list[AuditRecord]:
    with desk.new_session() as session:
        of = select(AuditRecord).where(AuditRecord.action == "tax_rate.put").order_by(AuditRecord.id)
        return list(session.scalars(of))


def test_rates_are_listed_with_what_is_to_come(nord: Desk) -> None:
    assert _change(nord, "2027-07-01", "--country", "EE=25", "--country", "FR=21")[0] == 0
    assert _change(nord, "2027-01-01", "--percent", "20")[0] == 0
    lines = [line.split() for line in nord.run(tax_rate, "list", *OF).output.splitlines() if line.strip()]
    assert lines[2:] == [
        ["reduced", "7", "no"],
        ["standard", "19", "no", "FR", "20", "2027-01-01:", "20;", "2027-07-01:", "EE", "25,", "FR", "21"],
    ]
    assert [each["starts_on"] for each in _rate(nord)["changes"]] == ["2027-01-01", "2027-07-01"], "by their days"


def test_what_is_said_twice_for_a_day_is_put_together_and_a_repeat_changes_nothing(nord: Desk) -> None:
    _change(nord, "2027-01-01", "--percent", "20", "--country", "FR=21")
    assert "changed, for what is sold" in _change(nord, "2027-01-01", "--country", "FR=22")[1]
    (there,) = _rate(nord)["changes"]
    assert there == {"starts_on": "2027-01-01", "percent": "20", "countries": {"FR": "22"}}
    version = _rate(nord)["version"]
    assert "nothing was changed" in _change(nord, "2027-01-01", "--percent", "20.0")[1]
    assert (_rate(nord)["version"], len(_trail(nord))) == (version, 2)


def test_who_said_it_and_why_stands_in_the_trail(nord: Desk) -> None:
    _change(nord, "2027-01-01", "--percent", "20")
    _change(nord, "2027-01-01", verb="withdraw")
    said, withdrawn = _trail(nord)
    change = {"starts_on": "2027-01-01", "percent": "20", "countries": {}}
    assert (said.actor, said.reason, said.before, said.after) == (
        "ada", "the law of 3 June", {"changes": []}, {"changes": [change]},
    )  # fmt: skip
    assert (withdrawn.before, withdrawn.after) == ({"changes": [change]}, {"changes": []})
    shown = nord.run(tax_rate, "show", "standard", *OF).output
    assert shown.count("the law of 3 June") == 2


def test_a_dry_run_changes_nothing(nord: Desk) -> None:
    before = _rate(nord)
    assert _change(nord, "2027-01-01", "--percent", "20", "--dry-run")[0] == 0
    assert (_rate(nord), _trail(nord)) == (before, [])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("2027-01-01",), "changes_nothing"),
        (("2027-01-01", "--percent", "much"), "not_a_number"),
        (("2027-01-01", "--percent", "NaN"), "not_a_number"),
        (("2027-01-01", "--percent", "100"), "percent_range"),
        (("2027-01-01", "--country", "fr=21"), "unknown_country"),
        (("2027-01-01", "--country", "FR=x"), "not_a_number"),
    ],
)
def test_what_is_no_rate_is_refused(nord: Desk, given: tuple[str, ...], code: str) -> None:
    before = _rate(nord)
    status, told = _change(nord, *given)
    assert (status != 0, code in told) == (True, True), told
    assert _rate(nord) == before


def test_what_is_not_there_is_told(nord: Desk) -> None:
    assert "change_not_found" in _change(nord, "2027-01-01", verb="withdraw")[1]
    assert "tax_rate_not_found" in str(nord.run(tax_rate, "show", "none", *OF).exception)
    assert "NORD" in str(nord.run(tax_rate, "list", "--seller", "NOPE").exception)
