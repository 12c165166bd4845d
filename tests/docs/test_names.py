"""Names that documents and docstrings speak of are there, and what is there for operators is told of."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import click

import billing
from billing.__main__ import cli
from billing.flows.measuring import GAUGES
from billing.models import Profile
from billing.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))}
TOLD = "\n".join(PAGES.values())
SETTINGS = {name.upper(): str(field.default) for name, field in Settings.model_fields.items()}
SETTING = re.compile(r"\b(?:BILLING|STRIPE|PAYPAL|SMTP|DATABASE|BROKER|ECB|VIES)_[A-Z0-9_]+\b")
DEFAULT = re.compile(r"^\| `(\w+)` \|.*; ([\d,]+)(?:,? [^|]*| *)\|$", re.MULTILINE)
MODULE = re.compile(r"\bbilling(?:\.\w+)+")
TABLES = frozenset(Profile.metadata.tables)
"""In SQL, `billing.` is the schema."""
NOT_OURS = "billing.example", "billing.json"
"""A host, and the dashboard's file."""
FILE = re.compile(r"`((?:billing|tests|docs|examples)/[\w./-]+)`")
PYTHON = re.compile(r"`([\w/]+\.py)`")
METRIC = re.compile(r"`(billing_\w+)`")
CALL = re.compile(r"`billing ([a-z][a-z -]*[a-z])")
WORD = re.compile(r"`([a-z]\w+)`")
KINDS = "py", "yaml", "yml", "toml", "json", "html", "js", "csv"
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
OURS = "*.py", "run", *(f"{folder}/**/*.{kind}" for folder in ("billing", "tests", "examples") for kind in KINDS)
FOREIGN = {"consumer_timeout"}
"""Names of servers' own settings."""
ENDINGS = "_ambiguous", "_missing", "_move_not_allowed"
"""Of codes that are made of a noun and one of these: `invoice_ambiguous`."""


@cache
def _package() -> tuple[dict[str, str], frozenset[str]]:
    """Every docstring by its place, and every name and every word of a string that is none."""
    told: dict[str, str] = {}
    known: set[str] = set()
    for path in (ROOT / "billing").rglob("*.py"):
        if "versions" in path.parts:
            continue
        tree = ast.parse(path.read_text())
        known.add(path.stem)
        docstrings = {id(node.value): node for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if id(node) in docstrings:
                    told[f"{path.relative_to(ROOT)}:{node.lineno}"] = text
                case ast.Constant(value=str(text)):
                    known.update(re.findall(r"\w+", text))
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                    known.add(name)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    known.add(name)
    return told, frozenset(known)


def _texts() -> dict[str, str]:
    return {str(path.relative_to(ROOT)): text for path, text in PAGES.items()} | _package()[0]


def _is_there(dotted: str) -> bool:
    """Whether it is a module, or the first name after one stands in it."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            return (
                length == len(parts)
                or bool(re.search(rf"\b{parts[length]}\b", file.read_text()))
                or (length == 1 and parts[1] in dir(billing))
            )
    return False


def test_modules_and_files_that_are_named_are_there() -> None:
    ours = [f"/{path.relative_to(ROOT)}" for each in ("*.py", "billing/**/*.py", "tests/**/*.py", "examples/**/*.py")
            for path in ROOT.glob(each)]  # fmt: skip
    for place, text in _texts().items():
        named = {name for name in MODULE.findall(text) if name not in TABLES and not name.startswith(NOT_OURS)}
        assert {name for name in named if not _is_there(name)} == set(), place
        files = PYTHON.findall(text)
        assert [name for name in files if not any(path.endswith(f"/{name}") for path in ours)] == [], place
        assert [name for name in FILE.findall(text) if not (ROOT / name).exists()] == [], place


def test_every_setting_is_told_of_and_every_one_that_is_told_of_is_there() -> None:
    assert [name for name in SETTINGS if name not in TOLD] == []
    read = _package()[1]
    for place, text in _texts().items():
        named = {name.partition("__")[0] for name in SETTING.findall(text)}
        assert {name for name in named if name not in SETTINGS and name not in read} == set(), place


def test_a_default_that_a_table_ends_with_is_the_settings() -> None:
    told = [(name, value.replace(",", "")) for name, value in DEFAULT.findall(TOLD)]
    assert len(told) > 5
    assert [(name, value) for name, value in told if SETTINGS.get(name, "None") not in (value, "None")] == []


def test_every_metric_that_is_told_of_is_there() -> None:
    known = _package()[1] - frozenset(GAUGES)
    for page, text in PAGES.items():
        assert {name for name in METRIC.findall(text) if name not in GAUGES and name not in known} == set(), page.name


def test_every_command_is_told_of_and_every_one_that_is_told_of_is_there() -> None:
    context = click.Context(cli, info_name="billing")
    assert [n for n in cli.list_commands(context) if f"billing {n}" not in TOLD and f"./run {n}" not in TOLD] == []
    for place, text in _texts().items():
        for call in CALL.findall(text):
            command: click.Command | None = cli
            for word in call.split():
                if not isinstance(command, click.Group):
                    break
                command = command.get_command(context, word)
            assert command is not None, (place, call)


def test_what_a_docstring_says_is_raised_has_a_name_that_the_package_knows() -> None:
    told, known = _package()

    def is_known(word: str) -> bool:
        return word in known or any(word.endswith(ending) and ending in known for ending in ENDINGS)

    for place, text in told.items():
        raised = re.search(r"Raises?\b.*?(?:\n\s*\n|\Z)", text, re.DOTALL)
        assert [word for word in WORD.findall(raised[0] if raised else "") if not is_known(word)] == [], place


def test_a_name_in_the_prose_of_a_page_stands_in_some_file_of_ours() -> None:
    listed = [path for each in OURS for path in ROOT.glob(each) if path.is_file()]
    known = set(re.findall(r"\w+", "\n".join(path.read_text() for path in listed))) | FOREIGN | set(SETTINGS)
    known |= {path.stem for path in listed}
    for page, text in PAGES.items():
        spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
        named = {name.partition("__")[0] for span in spans for name in re.findall(r"[A-Za-z]\w*_\w+", span)}
        assert named - known == set(), page.name


def test_every_key_of_an_import_file_is_told_of_on_its_page() -> None:
    source = (ROOT / "billing" / "ops" / "import_file.py").read_text()
    keys = {key.rpartition(".")[2] for key in re.findall(r'row\.\w+\("([\w.]+)"', source)}
    assert len(keys) > 50
    assert keys - set(re.findall(r"\w+", (ROOT / "docs" / "integrate" / "by-import.md").read_text())) == set()
