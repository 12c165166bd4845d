"""Tax ids: every member state's published numbers pass, a wrong digit does not, and one fault says what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.tax import EU
from billing.validators.checks import Checks
from billing.validators.tax_id import EXAMPLES, TaxIdCheck, check_tax_id, read_tax_id

# As python-stdnum's documentation gives them, member by member: good ones, and ones whose check digit is wrong.
PUBLISHED = [
    ("AT", "AT U13585627", "ATU13585627", "ATU13585626"),
    ("BE", "BE 428759497", "BE0428759497", "BE431150351"),
    ("BG", "175 074 752", "BG175074752", "175074751"),
    ("CY", "CY-10259033P ", "CY10259033P", "CY-10259033Z"),
    ("CZ", "25123891", "CZ25123891", "25123890"),
    ("DE", "DE136695976", "DE136695976", "136695978"),
    ("DK", "DK 13585628", "DK13585628", "DK 13585627"),
    ("EE", "100594102", "EE100594102", "100594103"),
    ("ES", "B64717838", "ESB64717838", "B64717839"),
    ("FI", "FI 20774740", "FI20774740", "FI 20774741"),
    ("FR", "FR 23 334 175 221", "FR23334175221", "84 323 140 391"),
    ("GR", "EL 094259216 ", "EL094259216", "EL 123456781"),
    ("HR", "HR 33392005961", "HR33392005961", "33392005962"),
    ("HU", "HU-12892312", "HU12892312", "HU-12892313"),
    ("IE", "IE 6433435F", "IE6433435F", "6433435E"),
    ("IT", "IT 00743110157", "IT00743110157", "00743110158"),
    ("LT", "LT 100001919017", "LT100001919017", "100001919018"),
    ("LU", "LU 150 274 42", "LU15027442", "150 274 43"),
    ("LV", "LV 4000 3521 600", "LV40003521600", "40003521601"),
    ("MT", "MT 1167-9112", "MT11679112", "1167-9113"),
    ("NL", "NL4495445B01", "NL004495445B01", "123456789B90"),
    ("PL", "PL 8567346215", "PL8567346215", "PL 8567346216"),
    ("PT", "PT 501 964 843", "PT501964843", "PT 501 964 842"),
    ("RO", "RO 185 472 90", "RO18547290", "RO 185 472 91"),
    ("SE", "SE 123456789701", "SE123456789701", "123456789101"),
    ("SI", "SI 5022 3054", "SI50223054", "SI 50223055"),
    ("SK", "SK 202 274 96 19", "SK2022749619", "SK 202 274 96 18"),
]


def faults(value: str | None, country: str) -> list[tuple[str, str]]:
    checks = Checks()
    check_tax_id(checks, "tax_id", value, country=country)
    return [(fault.field, fault.code) for fault in checks.faults]


def test_the_table_has_every_member_state() -> None:
    assert {country for country, *_ in PUBLISHED} == EU
    assert {"GR" if prefix == "EL" else prefix for prefix in EXAMPLES} == EU


@pytest.mark.parametrize(("country", "written", "value", "wrong"), PUBLISHED)
def test_a_published_number_passes_and_one_with_a_wrong_check_digit_does_not(
    country: str, written: str, value: str, wrong: str
) -> None:
    good = TaxIdCheck(value, country, "stdnum")
    assert read_tax_id(written, country=country) == good
    assert good.valid
    assert faults(written, country) == []
    found = read_tax_id(wrong, country=country)
    assert (found.valid, found.reason, found.country) == (False, "check_digit", country)
    assert faults(wrong, country) == [("tax_id", "tax_id_check_digit")]


@pytest.mark.parametrize("example", EXAMPLES.values())
def test_what_a_fault_recommends_is_good(example: str) -> None:
    country = "GR" if example.startswith("EL") else example[:2]
    assert read_tax_id(example, country=country) == TaxIdCheck(example, country, "stdnum")


@pytest.mark.parametrize(
    ("value", "country", "normalised"),
    [
        ("de136695976", "DE", "DE136695976"),
        ("atu13585627", "AT", "ATU13585627"),
        ("DE 136.695-976", "DE", "DE136695976"),
        ("DE\u00a0136\u2009695\u2013976", "DE", "DE136695976"),
        ("nl 4495445b01", "NL", "NL004495445B01"),
        ("GR094259216", "GR", "EL094259216"),
        ("gr 94259216", "GR", "EL094259216"),  # eight digits, as they once were
        ("094259216", "GR", "EL094259216"),
        ("18547290", "RO", "RO18547290"),
        ("K7399859412", "FR", "FRK7399859412"),
        ("4Z 123456782", "FR", "FR4Z123456782"),
        ("8D79739I", "IE", "IE8D79739I"),
        ("X-5253868-R", "ES", "ESX5253868R"),
        ("NL002455799B11", "NL", "NL002455799B11"),
    ],
)
def test_a_number_is_read_however_it_is_written(value: str, country: str, normalised: str) -> None:
    assert read_tax_id(value, country=country) == TaxIdCheck(normalised, country, "stdnum")
    assert read_tax_id(normalised, country=country).value == normalised


@pytest.mark.parametrize("country", ["DE", "FR", "GB", "US"])
def test_the_prefix_says_who_issued_it_wherever_the_customer_is(country: str) -> None:
    assert read_tax_id("EL 094259216", country=country) == TaxIdCheck("EL094259216", "GR", "stdnum")


@pytest.mark.parametrize(
    ("value", "country"),
    [
        ("DE12345678", "DE"),
        ("DE1366959760", "DE"),
        ("ATX13585627", "AT"),
        ("X", "DE"),
        ("DE136695976!", "DE"),
        ("DE１３６ß", "DE"),
        ("GB980780684", "DE"),  # no member state's
        ("EU372022452", "DE"),  # a One Stop Shop's, which takes no reverse charge
        ("12-3456789", "FR"),
    ],
)
def test_what_has_no_members_form_is_no_tax_id_of_a_member(value: str, country: str) -> None:
    assert faults(value, country) == [("tax_id", "not_a_tax_id")]


@pytest.mark.parametrize(
    ("value", "normalised"),
    [
        ("XI 980 7806 84", "XI980780684"),
        ("xi802311781", "XI802311781"),  # by its form alone: the check digit is wrong
        ("XI123456789012", "XI123456789012"),
        ("XIGD001", "XIGD001"),
        ("XIHA500", "XIHA500"),
    ],
)
@pytest.mark.parametrize("country", ["GB", "DE", "US"])
def test_a_number_of_northern_ireland_is_checked_by_its_form(value: str, normalised: str, country: str) -> None:
    assert read_tax_id(value, country=country) == TaxIdCheck(normalised, "XI", "form")


@pytest.mark.parametrize("value", ["XI12345678", "XIGD500", "XIHA499", "XI1234567890"])
@pytest.mark.parametrize("country", ["GB", "DE"])
def test_another_form_is_none_of_northern_ireland(value: str, country: str) -> None:
    assert faults(value, country) == [("tax_id", "not_a_tax_id")]


@pytest.mark.parametrize(
    ("value", "country", "normalised"),
    [
        ("GB 980 7806 84", "GB", "GB980780684"),
        ("802311781", "GB", "802311781"),
        ("CHE-107.787.577 IVA", "CH", "CHE107787577IVA"),
        ("NO 995 525 828 MVA", "NO", "NO995525828MVA"),
        ("12-3456789", "US", "123456789"),
        ("BEA010203XX1", "MX", "BEA010203XX1"),  # begins like Belgium's and is Mexico's
    ],
)
def test_a_number_of_another_country_is_checked_by_its_form(value: str, country: str, normalised: str) -> None:
    assert read_tax_id(value, country=country) == TaxIdCheck(normalised, country, "form")
    assert faults(value, country) == []


@pytest.mark.parametrize("value", ["1234", "x" * 41, "?????", "12345\n67890é"])
def test_what_cannot_be_a_number_is_none_anywhere(value: str) -> None:
    assert faults(value, "US") == [("tax_id", "not_a_tax_id")]


def test_a_members_number_with_a_wrong_check_digit_is_a_typing_error_wherever_the_customer_is() -> None:
    assert faults("DE136695978", "US") == [("tax_id", "tax_id_check_digit")]
    assert faults("DE136695978", "FR") == [("tax_id", "tax_id_check_digit")]


def test_of_two_readings_the_closer_one_is_told() -> None:
    # The key of a French number may look like a prefix: here Sweden's, whose numbers have twelve digits.
    found = read_tax_id("SE334175221", country="FR")
    assert (found.country, found.reason) == ("FR", "check_digit")


@pytest.mark.parametrize("value", [None, ""])
def test_no_number_has_no_fault(value: str | None) -> None:
    assert faults(value, "DE") == []


@pytest.mark.parametrize(
    ("value", "country", "mend"),
    [
        ("DE136695978", "DE", "compare it with the original: no DE number reads so"),
        ("DE1366959", "DE", "give the number as DE issues it, such as DE136695976"),
        ("EL1", "GR", "give the number as GR issues it, such as EL094259216"),
        ("XI1234567", "GB", "give the number as XI issues it, such as XI123456789"),
        ("1234", "US", "give 5 to 40 letters and digits, such as DE136695976"),
    ],
)
def test_a_fault_says_how_to_mend_it_and_never_repeats_the_number(value: str, country: str, mend: str) -> None:
    checks = Checks()
    check_tax_id(checks, "tax_id", value, country=country)
    assert [fault.mend for fault in checks.faults] == [mend]
    assert value not in repr(read_tax_id(value, country=country))


ALL_COUNTRIES = st.sampled_from(sorted(EU | {"GB", "US", "CH", "NO"}))


@given(st.text(max_size=45), ALL_COUNTRIES)
def test_whatever_is_typed_nothing_is_raised_and_there_is_one_fault_at_most(value: str, country: str) -> None:
    assert len(faults(value, country)) <= 1


@given(st.from_regex(r"[A-Z]{2}[A-Z0-9]{3,13}", fullmatch=True), ALL_COUNTRIES)
def test_reading_the_normalised_number_again_changes_nothing(value: str, country: str) -> None:
    found = read_tax_id(value, country=country)
    if found.valid:
        assert read_tax_id(found.value, country=country) == found


@given(st.integers(2, 10), st.integers(0, 9))
def test_one_wrong_digit_in_a_german_number_is_seen(place: int, digit: int) -> None:
    number = EXAMPLES["DE"]
    changed = number[:place] + str(digit) + number[place + 1 :]
    assert read_tax_id(changed, country="DE").valid is (changed == number)
