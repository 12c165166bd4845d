from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[A-Za-z0-9._-]+")
# Put together here, so that this file doesn't hold what it looks for.
HOSTS = ["pypi" + ".org", "python" + "hosted", "/sim" + "ple/", "pypi" + ".python", "npm" + "js.", "index" + "-url="]
MACHINE_PATHS = [f"/{folder}/" for folder in ("work", "root", "home/[a-z]", "Users/[A-Z]")]


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so nothing says which files belong to it")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def package_files() -> list[Path]:
    return sorted((ROOT / "billing").rglob("*.py"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def name_in(requirement: str) -> str:
    match = NAME.match(requirement)
    assert match is not None
    return canonical(match.group())


def test_no_tracked_file_names_a_package_registry_or_a_path_of_some_machine() -> None:
    wanted = re.compile("|".join([*map(re.escape, HOSTS), *(rf"(?<![\w./]){path}" for path in MACHINE_PATHS)]))
    found = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in wanted.finditer(text)]
    assert found == []


def test_each_file_of_the_package_says_what_it_is_for() -> None:
    silent = [path for path in package_files() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_each_file_of_the_package_can_be_read_in_one_sitting() -> None:
    # A migration is a dated record, not something to keep in one's head.
    lengths = {path: len(path.read_text().splitlines()) for path in package_files() if "versions" not in path.parts}
    assert {str(path): lines for path, lines in lengths.items() if lines > 350} == {}


def test_no_statement_goes_by_the_zone_files_of_the_server() -> None:
    # The trigger's is for rows that name no date; migrations are dated records.
    ours = [path for path in package_files() if "versions" not in path.parts and path.name != "triggers.py"]
    reads = re.compile(r"AT TIME ZONE (?!'UTC')|pg_timezone", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}" for path in ours for match in reads.finditer(path.read_text())
    ]
    assert found == []


def test_the_lock_holds_every_declared_dependency_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    browser = groups.pop("browser")
    declared = [
        *project["project"]["dependencies"],
        *(name for group in project["project"]["optional-dependencies"].values() for name in group),
        *(name for group in groups.values() for name in group),
    ]
    for lock, wanted in (("requirements.lock", declared), ("requirements-browser.lock", browser)):
        blocks = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
        locked = {name_in(block) for block in blocks}
        assert {name_in(requirement) for requirement in wanted} - locked == set()
        assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "Apache-2.0"


def test_no_run_time_dependency_is_under_the_gpl() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = {name_in(requirement) for requirement in project["dependencies"]}
    waiting |= {name_in(requirement) for group in project["optional-dependencies"].values() for requirement in group}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue  # needed on another platform only
        seen.add(name)
        waiting |= {name_in(need) for need in needs if "extra ==" not in need} - seen
    assert len(seen) > 30
    assert {name: licence_of(name) for name in seen if is_gpl(licence_of(name))} == {}


def licence_of(name: str) -> str:
    metadata = distribution(name).metadata
    classifiers = [line for line in metadata.get_all("Classifier") or [] if line.startswith("License")]
    expression = metadata.get("License-Expression")
    return expression or "; ".join([*classifiers, *(metadata.get("License") or "").splitlines()[:1]])


def is_gpl(licence: str) -> bool:
    """Whether every way to use it is the GPL or AGPL. The LGPL of an unmodified dependency is fine."""
    choices = re.split(r"\bOR\b", licence)
    return all(re.search(r"(?<!L)\bA?GPL|(?<!Lesser )\b(?:Affero )?General Public License", part) for part in choices)


@pytest.mark.parametrize(
    ("licence", "refused"),
    [
        ("GPL-3.0-only", True),
        ("AGPL-3.0-or-later", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("License :: OSI Approved :: GNU Affero General Public License v3", True),
        ("GPL-2.0-only OR MIT", False),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("MIT", False),
    ],
)
def test_the_gate_tells_licences_apart(licence: str, *, refused: bool) -> None:
    assert is_gpl(licence) is refused
