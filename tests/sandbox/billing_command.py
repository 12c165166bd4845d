"""Runs the console script in a process of its own, as a user would, on a stack of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from billing.sandbox.environment import ROOT

_SETTINGS = ("DATABASE_URL", "BROKER_URL", "STRIPE_", "PAYPAL_", "BILLING_")


@dataclass(frozen=True, slots=True)
class Said:
    status: int
    out: str
    err: str


def environment_for(stack: str, **more: str) -> dict[str, str]:
    """Nothing of ours but the stack's name, and a home that can't be written."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return kept | {"BILLING_STACK": stack, "HOME": "/nonexistent", **more}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "billing", *arguments]


def billing(stack: str, *arguments: str, **more: str) -> Said:
    done = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment_for(stack, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
