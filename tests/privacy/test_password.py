"""Passwords and one-time codes of operators."""

from __future__ import annotations

import pytest

from billing.privacy.one_time_code import code_at, setup_address, setup_key, step_of
from billing.privacy.password import NOBODYS, hashed, matches, new_password

# RFC 6238, appendix B, its last six digits.
RFC = b"12345678901234567890"


def test_a_password_is_kept_with_its_own_salt_and_cost() -> None:
    password = new_password()
    first, second = hashed(password), hashed(password)
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert matches(password, first)
    assert not matches(password + "x", first)
    assert not matches(password, NOBODYS)
    assert not matches("", NOBODYS)


def test_no_two_passwords_are_alike() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) == 29 for each in made)


@pytest.mark.parametrize(("at", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert code_at(RFC, at) == code
    assert step_of(RFC, f"{code[:3]} {code[3:]}", at) == at // 30


def test_a_code_is_taken_one_step_early_or_late_and_no_more() -> None:
    code = code_at(RFC, 3000)
    assert [step_of(RFC, code, at) for at in (2939, 2970, 3029, 3059, 3060)] == [None, 100, 100, 100, None]
    for wrong in ("", "12345", "1234567", "abcdef", "١٢٣٤٥٦"):
        assert step_of(RFC, wrong, 3000) is None


def test_an_application_is_told_the_secret_as_it_reads_it() -> None:
    assert setup_key(RFC) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert setup_address(RFC, "ada") == (
        "otpauth://totp/Billing:ada?digits=6&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1"
        "&issuer=Billing&period=30"
    )
