"""`billing simulate`: the examples give what they must, and every way to end has its status."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from billing.kernel.errors import Fault, Refused
from billing.ops.failures import FAULT, UNAVAILABLE, told
from billing.sandbox.scenario import command
from billing.sandbox.scenario.model import Scenario
from billing.sandbox.scenario.playing import acts, acts_together, whole
from billing.sandbox.scenario.playing.player import Played, play
from billing.sandbox.scenario.playing.stage import Stage
from tests.oracle.compare import differences
from tests.servers import Servers

EXAMPLES = Path(__file__).parents[3] / "examples" / "scenarios"

HEAD = """
scenario: 1
seller: {country: DE, currency: eur, tax_rates: {standard: {percent: "19"}}}
prices:
  basic: {product: Basic, amount: 1000, interval: month}
customers:
  acme: {payment_method: visa}
timeline:
  - {at: 2026-01-31, do: subscribe, as: s1, customer: acme, items: [{price: basic}]}
"""


@pytest.fixture(autouse=True)
def server(_servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The tests' own server is played on. Logging stays as it is for others, and writes nothing meanwhile."""
    monkeypatch.setattr(command, "server_address", lambda: (_servers.database_url, False))
    monkeypatch.setattr(whole, "quietly", lambda: None)
    with capture_logs():
        yield _servers.database_url


def _simulate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command.simulate, [str(each) for each in arguments])


def _file(folder: Path, *steps: str, until: str = "2026-04-01", name: str = "one.yaml") -> Path:
    path = folder / name
    path.write_text(HEAD + "".join(f"  - {step}\n" for step in steps) + f"until: {until}\n")
    return path


def test_what_was_played_before_on_the_same_database_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played_on: list[str] = []
    on = whole.staged
    monkeypatch.setattr(
        whole, "staged", lambda engine, **given: (played_on.append(str(engine.url)), on(engine, **given))[1]
    )
    files = [EXAMPLES / f"{name}.yaml" for name in ("coupon-repeating", "dunning-final-unpaid", "correction-refunds")]
    for number, path in enumerate([*files, *reversed(files)]):
        (tmp_path / f"{number}.yaml").write_bytes(path.read_bytes())

    result = _simulate(tmp_path, "--json", tmp_path / "told")

    assert result.exit_code == 0, result.output
    told = [(tmp_path / "told" / f"{number}.json").read_text() for number in range(6)]
    assert told[:3] == told[:2:-1]
    assert len(set(told)) == 3
    assert len(played_on) == 6
    assert len(set(played_on)) == 1


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_gives_what_it_must(path: Path) -> None:
    result = _simulate(path, "--json", "-")
    assert result.exit_code == 0, result.stderr
    example, output = json.loads(path.with_suffix(".json").read_text()), json.loads(result.stdout)
    assert differences(example, output) == []
    assert list(_lacking(example, output)) == []
    assert [each["credit_balance"] for each in output["customers"].values()] == [
        each["credit_balance"] for each in example["customers"].values()
    ]


def _lacking(example: Any, output: Any, place: str = "") -> Iterator[str]:
    """Keys of an example that are not told: whoever compares file with file asks for each of them."""
    if isinstance(example, dict):
        yield from (f"{place}.{key}" for key in example if key not in output)
        for key in example.keys() & output.keys():
            yield from _lacking(example[key], output[key], f"{place}.{key}")
    elif isinstance(example, list):
        for number, (each, ours) in enumerate(zip(example, output, strict=True)):
            yield from _lacking(each, ours, f"{place}[{number}]")


def test_the_same_file_gives_the_same_json(tmp_path: Path) -> None:
    path = _file(tmp_path)
    assert _simulate(path, "--json", "-").stdout == _simulate(path, "--json", "-").stdout


@pytest.mark.parametrize("told", ["environment", ".env"])
def test_what_a_host_is_set_to_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    path = _file(tmp_path)
    alone = _simulate(path, "--json", "-").stdout
    host = {
        "BILLING_LEAST_CHARGES": "eur:5000",
        "BILLING_PROVIDER_CALLS_PER_S": "1",
        "BILLING_SLICE_SIZE": "1",
        "BILLING_E_INVOICE_COUNTRIES": "DE",
        "BILLING_EXCHANGE_RATES": "ecb",
        "BILLING_VAT_REGISTER": "vies",
    }
    if told == ".env":
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in host.items()))
    else:
        for name, value in host.items():
            monkeypatch.setenv(name, value)
    assert _simulate(path, "--json", "-").stdout == alone


def test_without_json_people_see_tables(tmp_path: Path) -> None:
    result = _simulate(_file(tmp_path))
    assert result.exit_code == 0
    assert "Invoice SCENARIO-000001 of acme, s1, 2026-01-31T00:00:00Z" in result.stdout
    assert "subtotal 10.00 EUR, tax 1.90 EUR, total 11.90 EUR: paid" in result.stdout
    assert "The audit holds." in result.stdout


def test_it_is_played_up_to_another_end(tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(_simulate(_file(tmp_path), "--json", "-", "--until", "2026-02-01").stdout)
    assert len(told["invoices"]) == 1


def test_an_invalid_file_lists_every_fault_and_plays_nothing(tmp_path: Path) -> None:
    path = _file(tmp_path, "{at: 2026-02-01, do: cancel, subscription: s9}", "{at: 2026-02-01, do: fly}")
    result = _simulate(path, "--json", tmp_path / "out.json")
    assert result.exit_code == 2
    assert "one.yaml: line 10: timeline[1].subscription: unknown_subscription" in result.stderr
    assert "one.yaml: line 11: timeline[2].do: unknown_step" in result.stderr
    assert not (tmp_path / "out.json").exists()


def test_a_refusal_that_nobody_expected_is_told_and_the_rest_is_played(tmp_path: Path) -> None:
    path = _file(tmp_path, "{at: 2026-02-01, do: resume, subscription: s1}")
    result = _simulate(path, "--json", tmp_path / "new" / "out.json")
    assert result.exit_code == 3
    assert "step 2 (resume): refused: not_paused" in result.stderr
    told = json.loads((tmp_path / "new" / "out.json").read_text())
    assert told["refusals"] == [{"step": 2, "at": "2026-02-01T00:00:00Z", "do": "resume", "code": "not_paused"}]
    assert len(told["invoices"]) == 3


def test_steps_that_are_done_together_are_told_by_themselves_what_is_wrong(tmp_path: Path) -> None:
    text = HEAD.replace("customers:\n", "  api: {product: API, amount: 1, interval: month, usage: sum}\ncustomers:\n")
    text = text.replace("[{price: basic}]", "[{price: basic}, {price: api}]").replace(
        "  acme: {payment_method: visa}\n",
        "  acme: {payment_method: visa}\n  bert: {payment_method: insufficient_funds}\n",
    )
    steps = [
        "{at: 2026-02-10, do: usage, subscription: s1, price: api, quantity: 3, id: u1}",
        "{at: 2026-02-10, do: subscribe, as: s2, customer: bert, items: [{price: basic}]}",
        "{at: 2026-02-10, do: usage, subscription: s1, price: basic, quantity: 5, id: u2}",
        "{at: 2026-02-10, do: usage, subscription: s1, price: api, quantity: 4, id: u3}",
        "{at: 2026-02-10, do: usage, subscription: s1, price: api, quantity: 9, id: u1}",
        "{at: 2026-02-10, do: subscribe, as: s3, customer: acme, items: [{price: basic}]}",
    ]
    path = tmp_path / "together.yaml"
    path.write_text(text + "".join(f"  - {step}\n" for step in steps) + "until: 2026-02-28\n")
    result = _simulate(path, "--json", tmp_path / "out.json")
    assert result.exit_code == 3
    told = json.loads((tmp_path / "out.json").read_text())
    assert [(each["step"], each["code"]) for each in told["refusals"]] == [(4, "price_not_subscribed")]
    assert {name: each["status"] for name, each in told["subscriptions"].items()} == {
        "s1": "active",
        "s2": "canceled",
        "s3": "active",
    }
    used = [line for each in told["invoices"] for line in each["lines"] if line["kind"] == "usage"]
    assert [line["quantity"] for line in used] == ["7"]


def test_a_refusal_that_does_not_come_is_told(tmp_path: Path) -> None:
    path = _file(tmp_path, "{at: 2026-02-01, do: pause, subscription: s1, expect_error: not_active}")
    result = _simulate(path, "--json", "-")
    assert result.exit_code == 3
    assert "step 2 (pause): was not refused, not_active was expected" in result.stderr


def test_one_that_comes_as_expected_is_fine(tmp_path: Path) -> None:
    path = _file(tmp_path, "{at: 2026-02-01, do: resume, subscription: s1, expect_error: not_paused}")
    result = _simulate(path, "--json", "-")
    assert (result.exit_code, result.stderr) == (0, "")


def test_an_invariant_that_breaks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from billing.commands.invoice import compose  # noqa: PLC0415 (spoiled for a moment)

    honest = compose.totals

    def one_more(*arguments: Any, **named: Any) -> Any:
        made = honest(*arguments, **named)
        return made._replace(subtotal_minor=made.subtotal_minor + 1)

    compose._totals.cache_clear()
    monkeypatch.setattr(compose, "totals", one_more)
    result = _simulate(_file(tmp_path), "--json", "-")
    compose._totals.cache_clear()
    assert result.exit_code == 1
    assert "broken: N6 invoice" in result.stderr


def test_a_folder_is_played_in_one_call_and_ends_as_its_worst(tmp_path: Path) -> None:
    _file(tmp_path, name="good.yaml")
    _file(tmp_path, "{at: 2026-02-01, do: resume, subscription: s1}", name="refused.yml")
    result = _simulate(tmp_path, "--json", tmp_path / "out")
    assert result.exit_code == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good.json", "refused.json"]


def test_what_a_file_leaves_behind_is_not_kept_for_the_next(tmp_path: Path) -> None:
    path = _file(tmp_path)
    _simulate(path)
    kept = gc.get_freeze_count()
    _simulate(path)
    assert gc.get_freeze_count() <= kept


def test_a_fault_of_this_program_in_one_file_keeps_no_other_from_being_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def falls(scenario: Scenario, stage: Stage) -> Played:
        if scenario.until.month == 5:
            raise ZeroDivisionError("told")
        return play(scenario, stage)

    monkeypatch.setattr(whole, "play", falls)
    _file(tmp_path, name="a.yaml", until="2026-05-01")
    _file(tmp_path, name="b.yaml")
    result = _simulate(tmp_path, "--json", tmp_path / "out")
    assert result.exit_code == FAULT
    assert "[1/2] a.yaml: a fault of this program" in result.stderr
    assert "a.yaml: this should not have happened: ZeroDivisionError: told" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.json"]


def test_what_the_engine_refuses_of_a_file_is_a_fault_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> Played:
        raise Refused(Fault("tiers", "out_of_range", "give fewer"))

    monkeypatch.setattr(whole, "play", refuses)
    result = _simulate(_file(tmp_path))
    assert (result.exit_code, result.stderr) == (2, "one.yaml: tiers: out_of_range (give fewer)\n")


def test_a_step_on_what_was_never_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise Refused(Fault("items", "amount_too_large", "give less"))

    monkeypatch.setattr(acts, "subscribe", refuses)
    monkeypatch.setattr(acts_together, "subscribe_all", refuses)
    steps = ["{at: 2026-02-01, do: outage, until: 2026-02-20}", "{at: 2026-02-10, do: cancel, subscription: s1}"]
    result = _simulate(_file(tmp_path, *steps), "--json", "-")
    assert result.exit_code == 3
    refusals = [(each["do"], each["code"]) for each in json.loads(result.stdout)["refusals"]]
    assert refusals == [("subscribe", "amount_too_large"), ("cancel", "subscription_not_found")]


@pytest.mark.parametrize("out", ["there", "one.yaml/x.json", "one.yaml/x/y.json"])
def test_a_place_that_no_json_can_go_to_is_told_before_anything_is_played(tmp_path: Path, out: str) -> None:
    (tmp_path / "there").mkdir()
    result = _simulate(_file(tmp_path), "--json", tmp_path / out)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_a_folder_needs_a_folder_for_its_json(tmp_path: Path) -> None:
    assert _simulate(tmp_path).exit_code == 2
    assert _simulate(tmp_path, "--json", "-").exit_code == 2
    path = _file(tmp_path)
    assert "is a file" in _simulate(tmp_path, "--json", path).stderr


def test_two_files_of_a_folder_are_not_written_over_one_another(tmp_path: Path) -> None:
    for name in ("one.yaml", "one.yml"):
        _file(tmp_path, name=name)
    result = _simulate(tmp_path, "--json", tmp_path / "out")
    assert (result.exit_code, "one.yaml and one.yml" in result.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_what_can_not_be_read_in_a_folder_is_invalid_and_not_passed_over(tmp_path: Path) -> None:
    _file(tmp_path, name="good.yaml")
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    (tmp_path / "more.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"scenario: 1\nabout: caf\xe9\n")
    (tmp_path / "torn.yaml").symlink_to("/proc/self/mem")  # opens, and can't be read, whoever asks
    result = _simulate(tmp_path, "--json", tmp_path / "out")
    assert result.exit_code == 2
    assert "gone.yaml: the file: not_a_file" in result.stderr
    assert "torn.yaml: the file: unreadable (Input/output error" in result.stderr
    assert "latin.yaml: line 2: not_utf8 (save the file as UTF-8; byte 22 is not)" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.json"]


def test_the_end_that_an_option_names_lies_within_the_same_years_as_a_files_own(tmp_path: Path) -> None:
    result = _simulate(_file(tmp_path), "--until", "9999-01-01")
    assert (result.exit_code, "1000 to 7999" in result.stderr) == (2, True)


def test_a_server_that_can_not_be_reached_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "server_address", lambda: ("postgresql://nobody@127.0.0.1:1/none", False))
    result = _simulate(_file(tmp_path))
    assert isinstance(result.exception, Exception)
    assert told(result.exception).exit_code == UNAVAILABLE


def test_json_that_can_not_be_written_is_no_fault_of_this_program(tmp_path: Path) -> None:
    result = _simulate(_file(tmp_path), "--json", "/dev/full")
    assert (result.exit_code, "/dev/full can't be written: No space left" in result.stderr) == (2, True)


def test_json_is_utf_8_also_where_standard_output_is_not(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(HEAD.replace("acme", "Müller") + "until: 2026-02-01\n")
    result = CliRunner(charset="ascii").invoke(command.simulate, [str(path), "--json", "-"])
    assert result.exit_code == 0
    assert list(json.loads(result.stdout_bytes.decode("utf-8"))["customers"]) == ["Müller"]
