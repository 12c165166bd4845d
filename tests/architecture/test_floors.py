from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# For each contract one line that breaks it, and the file to plant it in.
VIOLATIONS = {
    "floors": ("rules/planted.py", "import billing.models"),
    "celery": ("flows/planted.py", "import celery"),
    "celery-app": ("flows/planted.py", "import billing.queue.celery"),
    "flask": ("ops/planted.py", "from flask import Flask"),
    "played": ("sandbox/scenario/planted.py", "import billing.sandbox.stripe.app"),
    "click": ("tasks/planted.py", "import click"),
    "stripe-sdk": ("flows/planted.py", "import stripe"),
    "telling-others": ("flows/planted.py", "import sentry_sdk"),
    "playground": ("tasks/planted.py", "from billing.sandbox.embedded import start"),
    "stand-ins": ("sandbox/stripe/planted.py", "from billing.models import Base"),
    "pure": ("kernel/planted.py", "import sqlalchemy"),
}
MORE_VIOLATIONS = [
    ("floors", "tasks/planted.py", "import billing.webhooks"),
    ("floors", "kernel/planted.py", "import billing.settings"),
    ("floors", "queries/planted.py", "import billing.commands"),
    ("floors", "unheard_of/planted.py", "import billing.kernel"),
    ("celery", "queue/planted.py", "from kombu import Connection"),
    ("celery-app", "ops/planted.py", "from billing.queue.celery import app"),
    ("stripe-sdk", "webhooks/planted.py", "from stripe import Webhook"),
    ("playground", "ops/planted.py", "import billing.sandbox"),
    ("stand-ins", "sandbox/stripe/planted.py", "import billing.sandbox.embedded"),
    ("pure", "rules/planted.py", "import requests"),
    ("pure", "validators/planted.py", "from sqlalchemy import select"),
]


@pytest.fixture(scope="module")
def _copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", copy)
    shutil.copytree(ROOT / "billing", copy / "billing", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def tree(_copy: Path) -> Iterator[Path]:
    """A copy of the package and its contracts, to plant violations in; they are weeded out afterwards."""
    before = set(_copy.rglob("*"))
    yield _copy
    for planted in sorted(set(_copy.rglob("*")) - before, reverse=True):
        planted.rmdir() if planted.is_dir() else planted.unlink()


def test_the_tree_keeps_every_contract() -> None:
    status, said = broken_contracts(ROOT)
    assert status == 0, said


def test_each_contract_has_a_violation_here() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == set(VIOLATIONS)


@pytest.mark.parametrize(
    ("contract", "file", "line"),
    [(contract, *violation) for contract, violation in VIOLATIONS.items()] + MORE_VIOLATIONS,
    ids=lambda value: value if " " not in value else None,
)
def test_a_planted_violation_breaks_its_contract(tree: Path, contract: str, file: str, line: str) -> None:
    planted = tree / "billing" / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.parent.joinpath("__init__.py").touch()
    make_importable(tree, line)
    planted.write_text(f"{line}\n")
    status, said = broken_contracts(tree, contract)
    assert status == 1, said
    assert Path(file).with_suffix("").as_posix().replace("/", ".") in said or "unheard_of" in said, said


def make_importable(tree: Path, line: str) -> None:
    # A room that isn't written yet is an empty one for this test.
    words = [word for word in line.split() if word.startswith("billing.")]
    for word in words:
        folder = tree.joinpath(*word.split("."))
        if not folder.with_suffix(".py").exists():
            folder.mkdir(parents=True, exist_ok=True)
            folder.joinpath("__init__.py").touch()


def broken_contracts(tree: Path, contract: str | None = None) -> tuple[int, str]:
    """lint-imports' exit status and what it said, on this tree and with its configuration."""
    only = ["--contract", contract] if contract else []
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache", "--no-logo", "--config", tree / "pyproject.toml", *only],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
