"""The environment of a running stack: `up` writes it down, and any other process of the checkout adopts it.

A stack is known by its name. `main` is what `billing up` starts; the demo's are `demo`, `demo-2` and so on; others are
for tests. Each has servers, data and secrets of its own.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
MAIN = "main"
DEMOS = ("demo", "demo-2", "demo-3", "demo-4")
SIMULATE = "simulate"
"""Servers for scratch databases only: no stack runs on them."""
NAME = "BILLING_STACK"
"""Names the stack that commands speak of; without it, the first one that runs."""

_SERVERS = (("database", "PostgreSQL", ".s.PGSQL.5432"), ("broker", "Valkey", "valkey.sock"))
_ELSEWHERE = ("DATABASE_URL", "BROKER_URL")
_PROVIDER = "STRIPE_API_KEY"
_PROVIDERS = {"STRIPE_": _PROVIDER, "PAYPAL_": "PAYPAL_CLIENT_ID"}
"""How a provider's settings begin, and the one that says that an account is one's own."""
_LIVE = "_live_"
_LIVE_KEY = re.compile(rf"\b[sr]k_(?:org_)?live_|{_PROVIDER}\w*\s*=.*{_LIVE}")
_LIVE_WORLD = re.compile(r"^\s*(?:export\s+)?PAYPAL_MODE\s*=\s*['\"]?live", re.MULTILINE)
_SETTING = re.compile(rf"^\s*(?:export\s+)?(?:{'|'.join(_ELSEWHERE)})\s*=\s*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one stack of this checkout lives."""

    name: str
    base: Path
    """The servers' folder."""

    @property
    def root(self) -> Path:
        """What the embedded servers are told apart by; for `main` the checkout itself. Never made."""
        return _root(self.name)

    @property
    def folder(self) -> Path:
        """Ours alone: secrets, pid files, logs, the stand-in's books."""
        return self.base / "stack"

    @property
    def environment(self) -> Path:
        return self.folder / "environment"

    @property
    def has_servers(self) -> bool:
        """Whether PostgreSQL and Valkey of this stack take connections."""
        return not self.down

    @property
    def has_died(self) -> bool:
        """Whether one of the two does and the other doesn't: a stack that was stopped has neither."""
        return len(self.down) == 1

    @property
    def down(self) -> dict[str, str]:
        """Of `database` and `broker` those that take no connection, each with what to do, in words."""
        ours = self.name in (MAIN, os.environ.get(NAME))
        start = "billing up" if ours else f"{NAME}={self.name} billing up"
        return {
            what: f"the embedded stack's {server} is down; `{start}` starts it again"
            for what, server, socket_name in _SERVERS
            if not _listens(self.base / "run" / socket_name)
        }


def place_of(name: str) -> Place:
    """The place of the stack `name`; nothing is made."""
    # Imported here: what brings settings of its own never needs the servers' launcher.
    from billing.sandbox.embedded.folders import folders_of  # noqa: PLC0415

    return Place(name=name, base=folders_of(_root(name)).base)


def places() -> Iterator[Place]:
    """The stack named by `BILLING_STACK`, or else all that this checkout may have, `main` first."""
    named = os.environ.get(NAME)
    for name in [named] if named else [MAIN, *DEMOS]:
        yield place_of(name)


def chosen() -> Place:
    """The stack that a command speaks of: the named one, else the first that runs, or whose one server does, else
    `main`.
    """
    found = list(places())
    return _first_up(found) or found[0]


def _first_up(found: Iterable[Place]) -> Place | None:
    by_down = {len(place.down): place for place in reversed(list(found))}
    return by_down.get(0) or by_down.get(1)


def down() -> dict[str, str]:
    """As `Place.down`, of the stack of this checkout whose database this process was given."""
    given = os.environ.get(_ELSEWHERE[0])
    return next((place.down for place in places() if given and read(place).get(_ELSEWHERE[0]) == given), {})


def adopt() -> None:
    """Take over the environment of a running stack, where this process was given neither database nor broker.

    A stack of which one server has died counts: what needs the other alone works. What is set already stays. Does
    nothing where a live provider key is about, in the environment or in `.env`.
    """
    if any(os.environ.get(name) for name in _ELSEWHERE) or has_live_key() or _SETTING.search(_dotenv()):
        return
    place = _first_up(place for place in places() if place.environment.is_file())
    if place is None:
        return
    own = tuple(prefix for prefix, key in _PROVIDERS.items() if os.environ.get(key))
    for name, value in read(place).items():
        if not (own and name.startswith(own)):
            os.environ.setdefault(name, value)


def has_live_key() -> bool:
    """Whether a key that moves real money stands in the environment or in `.env`."""
    keys = (value for name, value in os.environ.items() if name.startswith(_PROVIDER))
    if any(_LIVE in value for value in keys) or os.environ.get("PAYPAL_MODE") == "live":
        return True
    return bool(_LIVE_KEY.search(_dotenv()) or _LIVE_WORLD.search(_dotenv()))


def read(place: Place) -> dict[str, str]:
    """The stack's environment as written at its last start; empty where it was never started."""
    with suppress(FileNotFoundError):
        lines = place.environment.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)
    return {}


def write(place: Place, values: Mapping[str, str]) -> None:
    """Write it down, for our eyes only: it holds the stack's secrets. A reader sees the old text or the new."""
    making = place.environment.with_suffix(".new")
    with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    making.replace(place.environment)


def _root(name: str) -> Path:
    return ROOT if name == MAIN else ROOT / ".stacks" / name


def _dotenv() -> str:
    with suppress(OSError):
        return Path(".env").read_text(errors="replace")
    return ""


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, suppress(OSError):
        client.settimeout(1)
        client.connect(os.fspath(path))
        return True
    return False
