"""`billing seller`: a seller's settings are shown and changed by the names of an import file."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import select

from billing.models import AuditRecord, Seller
from billing.ops.import_file import read_file
from billing.ops.importing import import_file
from billing.ops.seller import seller
from billing.rules.completeness import REQUIREMENTS
from tests.ops.conftest import Desk

NORD = "sellers:\n  - {code: NORD, legal_name: Nordlicht GmbH, country: DE, currency: eur, upcoming_days: 3}\n"
WHY = ("--reason", "the new register entry", "--by", "ada")


@pytest.fixture
def nord(desk: Desk) -> Desk:
    assert desk.run(import_file, desk.write("a.yaml", NORD)).exit_code == 0
    return desk


def _set(desk: Desk, *pairs: str, more: tuple[str, ...] = ()) -> tuple[int, str]:
    options = [option for pair in pairs for option in ("--set", pair)]
    made = desk.run(seller, "change", "NORD", *options, *WHY, *more)
    return made.exit_code, str(made.exception or "") + made.output


def _row(desk: Desk) -> Seller:
    with desk.new_session() as session:
        return session.scalars(select(Seller)).one()


def test_who_is_not_there_is_told_with_who_is(nord: Desk) -> None:
    """As where nobody is named and there are several."""
    done = nord.run(seller, "show", "NOPE")
    assert "seller_not_found" in str(done.exception)
    assert "NORD" in str(done.exception)


def test_what_is_named_is_changed_and_all_else_stays(nord: Desk) -> None:
    pairs = (
        "tax_id=DE136695976",
        "address.city=Berlin",
        "dunning.retries=1d,12h",
        "dunning.hours=any",
        "fall_back=true",
    )
    assert "would" not in _set(nord, *pairs, more=("--dry-run",))[1]
    assert _row(nord).tax_id is None
    status, told = _set(nord, *pairs)
    assert (status, "dunning_retries" in told) == (0, True)
    assert "nothing was changed" in _set(nord, *pairs)[1]
    row = _row(nord)
    assert (row.legal_name, row.tax_id, row.address["city"]) == ("Nordlicht GmbH", "DE136695976", "Berlin")
    assert (row.dunning_retry_s, row.retry_first_h, row.fall_back, row.upcoming_days) == ([86400, 43200], None, True, 3)
    with nord.new_session() as session:
        trail = session.scalars(select(AuditRecord).where(AuditRecord.action == "seller.change")).all()
    assert [(each.actor, each.reason) for each in trail] == [("ada", "the new register entry")]
    _set(nord, "tax_id=", "upcoming_days=")
    assert (_row(nord).tax_id, _row(nord).upcoming_days) == (None, 7)


def test_lines_are_taken_as_a_shell_or_an_editor_on_any_machine_gives_them(nord: Desk) -> None:
    _set(nord, "document_footer=HRB 1 Musterstadt\r\nN. Nord\r\n", "payment_instructions=DE89370400440532013000\n")
    row = _row(nord)
    assert (row.document_footer, row.payment_instructions) == ("HRB 1 Musterstadt\nN. Nord", "DE89370400440532013000")
    _set(nord, "document_footer=")
    assert (_row(nord).document_footer, _row(nord).payment_instructions) == (None, "DE89370400440532013000")


def test_what_can_not_be_is_refused_by_name_and_nothing_is_changed(nord: Desk) -> None:
    faults = _set(nord, "currency=usd", "fall_back=maybe", "no_such=1", "dunning.final=forgive")[1]
    for whole in ("address=", "dunning="):
        assert f"{whole[:-1]}: unknown_field" in _set(nord, whole)[1]
    for told in ("currency: seller_fixed", "fall_back: not_true_or_false", "no_such: unknown_field"):
        assert told in faults
    assert "dunning_final: not_one_of" in _set(nord, "dunning.final=forgive")[1]
    assert _row(nord).version == 1


def test_what_is_shown_is_what_an_import_and_a_change_take(nord: Desk) -> None:
    shown = json.loads(nord.run(seller, "show", "NORD", "--json").stdout)
    assert (shown["upcoming_days"], shown["dunning.retries"], shown["dunning.hours"]) == (3, "72h,120h,168h", "8-20")
    fixed = ("code", "country", "currency", "timezone")
    pairs = [f"{name}={'' if value is None else str(value).lower() if isinstance(value, bool) else value}"
             for name, value in shown.items() if name not in fixed]  # fmt: skip
    assert "nothing was changed" in _set(nord, *pairs)[1]
    given = read_file(NORD.encode(), is_yaml=True).sellers[0].value
    assert given.legal_name == shown["legal_name"]


def test_what_a_sellers_invoice_lacks_is_entered_by_the_command_that_its_work_item_names(nord: Desk) -> None:
    """An import never changes a seller that is there."""
    lacking = [each for each in REQUIREMENTS if each.party == "seller"]
    assert {each.field for each in lacking} == {"tax_id", "legal_name", "line1", "city"}
    for each in lacking:
        (name,) = re.findall(r"`billing seller change .* --set ([a-z_.0-9]+)=…`", each.where)
        assert _set(nord, f"{name}={'DE136695976' if name == 'tax_id' else 'Beispielweg 1'}")[0] == 0
    row = _row(nord)
    assert (row.tax_id, row.legal_name) == ("DE136695976", "Beispielweg 1")
    assert (row.address["line1"], row.address["city"]) == ("Beispielweg 1", "Beispielweg 1")
