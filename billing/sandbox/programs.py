"""The programs of a stack: stock Celery, a stock WSGI server, the stand-in; and the environment that they get."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping

from billing.privacy.keyring import generate
from billing.sandbox.environment import NAME, Place
from billing.sandbox.plan import Plan
from billing.sandbox.probes import HOST
from billing.settings import Settings

WEB, STRIPE, PAYPAL, BEAT, WORKER = "web", "stripe", "paypal", "beat", "worker"
STAND_INS = (STRIPE, PAYPAL)

SERVING = (
    "--threads=8",
    "--max-request-body-size=5242880",
    "--channel-timeout=20",
    "--connection-limit=500",
    "--asyncore-use-poll",
)
"""Options of the WSGI server, everywhere the same. A body that announces more than 5 MiB (usage comes in 4) is refused
by its header, unread, and one that announces nothing ends there. Whoever sends nothing for 20 s loses the connection;
there are so few that memory is bounded: each holds half a MiB, what is more of its body lies in a file."""

_OURS = ("DATABASE_URL", "BROKER_URL", "STRIPE_", "PAYPAL_", "BILLING_")
"""Names that a stack's process has from its stack alone."""


def command(name: str, place: Place, plan: Plan, *, seed: int | None = None) -> list[str]:
    """The command of the process `name`. `seed` makes the stand-in's faults repeatable."""
    if name in STAND_INS:
        store = str(place.folder / f"{name}.sqlite")
        chance = [] if seed is None else ["--seed", str(seed)]
        return _python(f"billing.sandbox.{name}", "--port", str(plan.port_of(name)), "--store", store, *chance)
    if name == WEB:
        return _python("waitress", f"--listen={HOST}:{plan.web_port}", *SERVING, "wsgi:app")
    if name == BEAT:
        return _python("celery", "-A", "worker", "beat")
    return _python(
        "celery", "-A", "worker", "worker", "--concurrency", "1", "-n", node_of(name),
        "--without-gossip", "--without-mingle",
    )  # fmt: skip


def node_of(name: str) -> str:
    """The Celery node that a worker is."""
    return f"{name}@stack"


def child_environment(place: Place, values: Mapping[str, str]) -> dict[str, str]:
    """What a process of the stack gets: of ours only the stack's own `values`, so that two stacks never mix."""
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return foreign | {"PYTHONUNBUFFERED": "1", NAME: place.name} | dict(values)


def left_out(values: Mapping[str, str]) -> list[str]:
    """Settings of this process that a process of the stack doesn't get, as the stack has none of that name."""
    fields = {field.upper() for field in Settings.model_fields}
    return sorted(name for name in fields & os.environ.keys() - values.keys() if name.startswith(_OURS))


def with_secrets(kept: Mapping[str, str]) -> dict[str, str]:
    """The stack's own keys: those of its first start, else new ones. Operators enter its console by password, and
    events may be posted to what listens on this machine.
    """
    own = {
        "BILLING_ENDPOINT_NETWORKS": "127.0.0.0/8,::1/128",
        "BILLING_CONSOLE": "password",
        "BILLING_SANDBOX": "1",
        "BILLING_SECRET_KEY": generate(),
        "STRIPE_API_KEY": f"sk_test_{secrets.token_hex(16)}",
        "PAYPAL_CLIENT_ID": f"sb-{secrets.token_hex(16)}",
        "PAYPAL_CLIENT_SECRET": secrets.token_hex(32),
    }
    return own | dict(kept)


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
