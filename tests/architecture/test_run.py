from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ["cat", "chmod", "cksum", "dirname", "mkdir", "rm", "sed", "tail", "uname"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout with a space in its path, and a folder `bin` of the only programs that it may find."""
    checkout = tmp_path / "a clone"
    checkout.mkdir()
    for name in ("run", "requirements.lock"):
        shutil.copy(ROOT / name, checkout)
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        programs.joinpath(tool).symlink_to(found)
    return checkout


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", clone / "run", *arguments],
        cwd="/",
        env={"PATH": str(clone.parent / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


def a_python_that(clone: Path, script: str) -> None:
    program = clone.parent / "bin" / "python3"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_it_is_plain_posix_shell(shell: str) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed here")
    assert subprocess.run([found, "-n", ROOT / "run"], check=False).returncode == 0


def test_help_needs_nothing_and_names_every_command(clone: Path) -> None:
    done = run(clone)
    assert done.returncode == 0
    named = [line.split()[1] for line in done.stdout.splitlines()]
    assert named == ["demo", "setup", "test", "check", "bench", "crash", "shell"]
    assert not clone.joinpath(".venv").exists()


def test_a_missing_python_is_said_in_one_sentence(clone: Path) -> None:
    done = run(clone, "test")
    assert (done.returncode, done.stderr) == (1, "run: there is no Python here; install Python 3.11 or newer.\n")


def test_a_python_that_is_too_old_is_said_in_one_sentence(clone: Path) -> None:
    a_python_that(clone, 'case "$*" in *version_info*) exit 1 ;; *python_version*) echo 3.9.2 ;; esac')
    assert run(clone, "demo").stderr == "run: the newest Python here is 3.9.2; install 3.11 or newer.\n"


def test_a_python_without_venv_is_said_in_one_sentence(clone: Path) -> None:
    a_python_that(clone, 'case "$*" in *ensurepip*) exit 1 ;; esac')
    said = run(clone, "check").stderr
    assert said.startswith("run: python3 lacks the modules venv and ensurepip")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(("system", "machine"), [("FreeBSD", "amd64"), ("Linux", "riscv64")])
def test_a_platform_without_wheels_is_said_in_one_sentence(clone: Path, system: str, machine: str) -> None:
    a_python_that(clone, "exit 0")
    uname = clone.parent / "bin" / "uname"
    uname.unlink()
    uname.write_text(f'#!/bin/sh\ncase "$1" in -s) echo {system} ;; -m) echo {machine} ;; esac\n')
    uname.chmod(0o755)
    said = run(clone, "test").stderr
    assert said.startswith(f"run: {system} on {machine} is not supported")
    assert len(said.splitlines()) == 1


def test_an_unknown_command_is_refused_with_the_list(clone: Path) -> None:
    done = run(clone, "dmeo")
    assert done.returncode == 1
    assert done.stderr.endswith("run: there is no command 'dmeo'.\n")


def test_a_set_up_runs_nothing_and_says_how_the_command_is_called(clone: Path) -> None:
    _a_python_whose_venv_installs_nothing(clone)
    (clone / "billing").mkdir()
    (clone / "billing" / "__main__.py").write_text("print('the engine')\n")
    done = run(clone, "setup")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("`. .venv/bin/activate` makes `billing` a command of this shell.\n")
    assert (clone / ".venv" / "bin" / "billing").exists()


def test_the_command_that_it_writes_runs_no_module_of_the_folder_that_it_is_called_in(clone: Path) -> None:
    _a_python_whose_venv_installs_nothing(clone)
    (clone / "billing").mkdir()
    (clone / "billing" / "__main__.py").write_text("import queue, token\nprint('the engine')\n")
    assert run(clone, "demo").stdout == "the engine\n"
    foreign = clone.parent / "of a user"
    foreign.mkdir()
    for name in ("queue", "token"):
        (foreign / f"{name}.py").write_text("raise SystemExit('a file of the user was run')\n")
    done = subprocess.run(
        [clone / ".venv" / "bin" / "billing"], cwd=foreign, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("the engine\n", "")


def _a_python_whose_venv_installs_nothing(clone: Path) -> None:
    nothing = 'printf \'#!/bin/sh\\n\' >"$venv/bin/$name"; chmod +x "$venv/bin/$name"'
    make = f'venv=$4; "{sys.executable}" -m venv --without-pip "$venv"; for name in pip uv; do {nothing}; done'
    a_python_that(clone, f'case "$*" in "-m venv "*) {make} ;; *) exec "{sys.executable}" "$@" ;; esac')
