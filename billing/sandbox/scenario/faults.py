"""What is wrong with a scenario file: every fault with its path, its line and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

from billing.kernel.errors import BillingError


@dataclass(frozen=True, slots=True)
class ScenarioFault:
    """One fault. `path` is such as `timeline[3].items[0].quantity` (places from 0), `line` counts from 1."""

    path: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return _shown(f"line {self.line}: {self.path}: {self.code} ({self.message})")


def _shown(text: str) -> str:
    """On one line: signs that do not show, and those that turn what follows, are written out."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


class ScenarioInvalid(BillingError):
    """The file can't be played. Carries every fault, in the order of the lines; `name` is the file's."""

    def __init__(self, faults: list[ScenarioFault], *, name: str) -> None:
        self.name = name
        self.faults = sorted(faults, key=lambda fault: fault.line)
        super().__init__("\n".join(f"{name}: {fault}" for fault in self.faults))


class Faulty(Exception):
    """A value could not be read. Its faults are noted already; whoever reads the value around it goes on."""
