"""What the pages quote of scenario files stands in the files, and what they say comes of them does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.receipts import played, receipt

ROOT = Path(__file__).parents[2]
PRICING, SCENARIOS = ROOT / "docs" / "pricing.md", ROOT / "docs" / "scenarios.md"
FILES = {path.stem: path.read_text() for path in sorted((ROOT / "examples" / "pricing").glob("*.yaml"))}
EXAMPLES = ROOT / "examples" / "scenarios"


def blocks(page: Path, tag: str) -> dict[str, str]:
    """The fenced blocks of a page whose first line begins with this tag, by the rest of that line."""
    fence = re.compile(rf"^```{tag} (?P<name>[^\n]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
    return {match["name"]: match["body"] for match in fence.finditer(page.read_text())}


def test_every_file_has_its_result_on_the_page_and_is_quoted_as_it_is() -> None:
    quoted, results = blocks(PRICING, "yaml"), blocks(PRICING, "text")
    assert {name for name in results if not name.endswith(" in words")} == FILES.keys()
    assert [name for name, body in quoted.items() if not FILES[name].endswith(body)] == []
    # The other two policies differ from what is quoted in the one word that the page names.
    assert FILES.keys() - quoted.keys() == {"catch-up-merge", "catch-up-skip"}
    for policy in ("merge", "skip"):
        same = FILES["catch-up-bill-each"].replace("bill_each", policy)
        assert FILES[f"catch-up-{policy}"] == same


@pytest.mark.parametrize("name", FILES)
def test_a_pricing_example_comes_to_what_the_page_says(name: str, database_url: str) -> None:
    results = blocks(PRICING, "text")
    told, words = played(FILES[name], database_url)
    assert told["audit"]["violations"] == []
    assert receipt(told) == results[name]
    assert [line for line in results.get(f"{name} in words", "").splitlines() if line not in words] == []


def simulate(text: str, database_url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Played by the command, in a process of its own."""
    file = folder / "shop.yaml"
    file.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "billing", "simulate", str(file)],
        env=os.environ | {"DATABASE_URL": database_url.replace("+psycopg", ""), "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_whole_example_plays_and_prints_what_the_page_says(database_url: str, tmp_path: Path) -> None:
    done = simulate(blocks(SCENARIOS, "yaml")["shop.yaml"], database_url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert _squeezed(done.stdout) == _squeezed(blocks(SCENARIOS, "text")["shop.yaml"])


def test_the_example_with_faults_has_those_that_the_page_shows(database_url: str, tmp_path: Path) -> None:
    text = blocks(SCENARIOS, "yaml")["shop.yaml"].replace("amount: 1500", "amount: 15.00")
    done = simulate(text.replace("price: api,", "price: apy,"), database_url, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == blocks(SCENARIOS, "text")["faults"]


def test_the_keys_of_the_json_are_those_that_the_page_lists() -> None:
    table = SCENARIOS.read_text().partition("## What comes out")[2]
    listed = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert listed == json.loads((EXAMPLES / "trial-dst.json").read_text()).keys()


def test_every_example_that_the_page_lists_is_there_and_none_is_missing() -> None:
    listed = re.findall(r"`([a-z0-9-]+)\.yaml`", SCENARIOS.read_text().partition("## Examples")[2])
    assert sorted(listed) == sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def _squeezed(text: str) -> list[str]:
    """Lines without the rules and padding of tables."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line and not set(line) <= {"─", " "}]
