"""`billing draft` and `billing price`: drafts are edited and released, cohorts moved; each tried first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.ops.office import WHY, Office, office_of
from tests.ops.test_changes import tried_then_done


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A customer with `s1`, whose first invoice waits for its review; a price `more`."""
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        with ready.acme.parts.begin() as session:
            session.execute(text("UPDATE billing.seller SET draft_review_h = 24"))
        ready.acme.price("more", 3000)
        ready.acme.customer("a1")
        ready.acme.subscribe("a1", "s1")
        ready.acme.settle()
        yield ready


def test_a_draft_is_edited_then_released(office: Office) -> None:
    (row,) = office.read("invoice", "list", "--status", "draft")
    told = tried_then_done(office, "draft", "add-line", row["id"], "--description", "Set-up", "--amount", "500")
    assert "17.85 EUR" in told
    told = tried_then_done(office, "draft", "remove-line", row["id"], "2")
    assert "11.90 EUR" in told
    assert office.run("draft", "remove-line", row["id"], "7", *WHY).exit_code == 3
    assert "issued ACME-000001" in tried_then_done(office, "draft", "release", row["id"])
    assert [each.action for each in office.trail()] == ["draft.add_line", "draft.remove_line", "draft.release"]


def test_a_cohort_is_moved_after_a_dry_run(office: Office) -> None:
    before = office.fingerprint()
    tried = office.ok("price", "move", "basic", "more", "--seller", "ACME", "--dry-run")
    assert office.fingerprint() == before
    assert "10.00 EUR" in tried
    assert "30.00 EUR" in tried
    assert "1 subscriptions would be moved" in tried
    assert "1 subscriptions moved" in office.ok("price", "move", "basic", "more", "--seller", "ACME")
    assert office.run("price", "move", "basic", "gone", "--seller", "ACME").exit_code == 3
