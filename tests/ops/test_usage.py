"""`billing usage`: files of usage in batches, every fault by its line, twice changes nothing; and what came late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from billing.__main__ import cli
from billing.flows import usage_intake
from billing.models import UsageRecord
from billing.validators.subscription import NewItem
from tests.flows.company import START
from tests.ops.office import WHY, Office, office_of

HEAD = "subscription,price,id,quantity,timestamp\n"


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A customer with `api`, by the sum, and `peak`, by the highest value; it is the third day."""
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        acme = ready.acme
        acme.customer("a1")
        acme.price("api", 2, usage="sum")
        acme.price("peak", 2, usage="max")
        acme.begin_subscription("a1", "s1", NewItem("api"), NewItem("peak"))
        acme.settle()
        acme.set_clock(START + timedelta(days=2))
        yield ready


def written(office: Office) -> int:
    with office.acme.begin() as session:
        return session.scalar(select(func.count()).select_from(UsageRecord)) or 0


def put(text: str) -> str:
    Path("usage.csv").write_text(text, encoding="utf-8")
    return "usage.csv"


def test_a_file_is_recorded_once_however_often_it_is_given(office: Office) -> None:
    path = put(HEAD + "s1,api,u1,12.5,2026-02-01T10:00:00Z\ns1,peak,u2,3,\n")
    assert "Would record 2; 0 were there already." in office.ok("usage", "record", path, "--dry-run", *WHY)
    assert (written(office), office.trail()) == (0, [])
    assert "Recorded 2; 0 were there already." in office.ok("usage", "record", path, *WHY)
    assert "Recorded 0; 2 were there already." in office.ok("usage", "record", path, "--seller", "ACME", *WHY)
    office.ok("subscription", "cancel", "s1", "--when", "now", *WHY)
    assert "Recorded 0; 2 were there already." in office.ok("usage", "record", path, *WHY)
    row = office.trail()[0]
    assert (row.action, row.reason) == ("usage.record", WHY[1])
    assert row.after == {"lines": [2, 3], "written": 2, "repeated": 0, "late": 0}


def test_a_line_that_says_otherwise_than_what_is_recorded_is_told(office: Office) -> None:
    office.ok("usage", "record", put(HEAD + "s1,api,u1,12.5,2026-02-01T10:00:00Z\ns1,peak,u2,3,\n"), *WHY)
    path = put(HEAD + "s1,api,u1,12.50,2026-02-01T10:00:00Z\ns1,peak,u2,4,\n")
    result = office.run("usage", "record", path, *WHY)
    assert (result.exit_code, written(office)) == (0, 2)
    assert "usage.csv:3: id: recorded_otherwise" in result.stderr
    assert "usage.csv:2" not in result.stderr
    assert "Recorded 0; 2 were there already, 1 of them with other values, which stay." in result.stdout
    assert office.read("usage", "record", path, *WHY)["differing"] == [3]


def test_a_dry_run_counts_an_id_once_however_many_batches_have_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_intake, "MOST_RECORDS", 2)
    lines = ["s1,api,u1,12.5,2026-02-01T10:00:00Z", "s1,peak,u2,3,", "s1,api,u1,12.50,2026-02-01T10:00:00Z"]
    path = put(HEAD + "\n".join([*lines, "s1,api,u3,1,", "s1,peak,u2,4,", "s1,peak,u4,4,"]) + "\n")
    tried, done = (office.read("usage", "record", path, *more, *WHY) for more in (["--dry-run"], []))
    assert (done["written"], done["repeated"], done["differing"]) == (4, 2, [6])
    assert tried == {**done, "dry_run": True}


def test_standing_in_for_a_file_is_standard_input(office: Office) -> None:
    text = "id,quantity,price,subscription\nu1,1,api,s1\n"
    result = CliRunner().invoke(cli, ["usage", "record", "-", "--json", *WHY], input=text, prog_name="billing")
    assert (result.exit_code, written(office)) == (0, 1), result.output
    assert json.loads(result.stdout)["written"] == 1
    assert result.stderr == "1 lines\n"


def test_every_fault_is_told_by_its_line_and_nothing_of_its_batch_is_recorded(office: Office) -> None:
    path = put(
        HEAD + "s1,api,u1,1,\n\ns9,api,u2,1,\ns1,basic,u3,1,\ns1,api,,x,\ns1,api,u5,-1,soon\ns1,api\n"
        "s1,api,u6,1,2026-03-01\ns1,api,u7,1,2026-01-01\ns1,api,u8,-1,\n"
        's1,api,"u\x079",1,\n'
    )
    result = office.run("usage", "record", path, "--json", *WHY)
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert [(each["line"], each["field"], each["code"]) for each in report["faults"]] == [
        (6, "id", "missing"),
        (6, "quantity", "not_a_number"),
        (7, "timestamp", "not_a_time"),
        (8, "line", "wrong_number_of_columns"),
        (11, "quantity", "out_of_range"),
        (12, "id", "control_character"),
    ]
    assert (report["written"], report["held_up"], written(office)) == (0, 10, 0)
    path = put(HEAD + "s1,api,u1,1,\n\ns9,api,u2,1,\ns1,basic,u3,1,\ns1,api,u6,1,2026-03-01\ns1,api,u7,1,2026-01-01\n")
    told = office.run("usage", "record", path, *WHY)
    assert [line.split(" (")[0] for line in told.stderr.splitlines()[1:]] == [
        "usage.csv:4: subscription: subscription_not_found",
        "usage.csv:5: price: price_not_subscribed",
        "usage.csv:6: timestamp: usage_in_future",
        "usage.csv:7: timestamp: usage_before_start",
    ]
    assert "Recorded 0; 0 were there already. 5 lines are held up by 4 faults." in told.stdout
    assert office.trail() == []


def test_a_fault_holds_up_its_own_batch_only(office: Office) -> None:
    lines = [f"s1,api,u{place},1,\n" for place in range(20_001)]
    lines[10_000] = "s9,api,x,1,\n"
    result = office.run("usage", "record", put(HEAD + "".join(lines)), *WHY)
    assert (result.exit_code, written(office)) == (3, 10_001)
    assert "10000 lines\n20000 lines\n20001 lines\n" in result.stderr
    lines[10_000] = "s1,api,x,1,\n"
    told = office.ok("usage", "record", put(HEAD + "".join(lines)), *WHY)
    assert "Recorded 10000; 10001 were there already." in told


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "column_missing"),
        ("subscription;price\n", "unknown_column"),
        (HEAD.replace("timestamp", "price"), "column_twice"),
        (HEAD + 's1,api,"u1\n', "not_csv"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(office: Office, text: str, code: str) -> None:
    result = office.run("usage", "record", put(text), *WHY)
    assert (result.exit_code, code in result.stderr) == (3, True)


def test_wrong_bytes_and_wrong_sellers_are_told(office: Office) -> None:
    Path("bad.csv").write_bytes(HEAD.encode() + b"s1,api,\xff,1,\n")
    assert "bad.csv:1: file: not_utf8" in office.run("usage", "record", "bad.csv", *WHY).stderr
    path = put(HEAD + "s1,api,u1,1,\n")
    assert "seller_not_found" in office.run("usage", "record", path, "--seller", "NORD", *WHY).stderr
    assert office.run("usage", "record", "nothing.csv", *WHY).exit_code == 2


def test_what_came_late_is_listed(office: Office) -> None:
    assert "Nothing came late." in office.ok("usage", "late")
    office.acme.set_clock(START + timedelta(days=40))
    office.settle()
    told = office.ok("usage", "record", put(HEAD + "s1,peak,u1,9,2026-02-01\ns1,api,u2,9,2026-02-01\n"), *WHY)
    assert "1 came too late to be billed" in told
    (row,) = office.read("usage", "late", "--customer", "a1", "--subscription", "s1", "--since", "2026-02-01")
    assert (row["record_id"], row["price"], row["quantity"]) == ("u1", "peak", "9")
    office.acme.customer("a2")
    assert office.read("usage", "late", "--customer", "a2") == []
    assert "profile_not_found" in office.run("usage", "late", "--customer", "a22").stderr
    unknown = office.run("usage", "late", "--subscription", "s22")
    assert (unknown.exit_code, "subscription_not_found" in unknown.stderr) == (3, True)
    assert "u1" in office.ok("usage", "late")
