"""`billing keys`, as an operator types it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def test_of_several_sellers_the_refusal_names_the_option_and_their_codes(office: Office) -> None:
    Path("two.yaml").write_text(
        "sellers:\n  - {code: NORD, legal_name: Nordlicht GmbH, country: DE, currency: eur}\n", encoding="utf-8"
    )
    office.ok("import", "two.yaml")
    for call in (
        ("keys", "create", "shop", "--scope", "read"),
        ("endpoints", "add", "shop", "https://shop.example/"),
    ):
        refused = office.run(*call, *WHY)
        assert (refused.exit_code, "seller_missing" in refused.stderr) == (3, True)
        assert "--seller" in refused.stderr
        assert "ACME, NORD" in refused.stderr


def test_a_key_from_its_first_day_to_its_last(office: Office) -> None:
    assert "No key: the API is closed." in office.ok("keys", "list")
    assert "bk_" in office.ok("keys", "create", "shop", "--dry-run", *WHY)
    assert office.read("keys", "list") == []
    token = office.ok("keys", "create", "shop", "--scope", "read", *WHY).splitlines()[-1]
    (kept,) = office.read("keys", "list")
    assert token.startswith(kept["prefix"] + "_")
    assert (kept["scopes"], kept["valid"], kept["last_used_at"]) == (["read"], True, None)
    next_ = office.read("keys", "rotate", kept["prefix"], "--keep-hours", "0", *WHY)["prefix"]
    assert {each["prefix"]: each["valid"] for each in office.read("keys", "list")} == {
        kept["prefix"]: False,
        next_: True,
    }
    refused = office.run("keys", "rotate", kept["prefix"], *WHY)
    assert (refused.exit_code, "api_key_over" in refused.stderr) == (3, True)
    assert "from now on" in office.ok("keys", "revoke", next_, *WHY)
    assert "nothing was changed" in office.ok("keys", "revoke", next_, *WHY)
    assert [each.action for each in office.trail()] == ["api_key.create", "api_key.rotate", "api_key.revoke"]
