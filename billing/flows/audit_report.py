"""What an audit found, and what it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.queries.acceptances import Acceptance, FindingKey

NO_WITNESS = "no witness: only our own side was checked"
WITNESS_AWAY = "the witness could not be asked: only our own side was checked"


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks an invariant. Ids, numbers and amounts only."""

    code: str
    subject_type: str
    subject_id: str
    detail: str
    witnessed: bool
    """Whether it is the witness that shows it, which our own side alone can't."""

    @property
    def thing(self) -> tuple[str, str]:
        """Type and id of what it is about."""
        return self.subject_type, self.subject_id

    @property
    def key(self) -> FindingKey:
        """What a person may accept."""
        return FindingKey(self.code, self.subject_type, self.subject_id, self.detail)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding that a person accepted before, in just these words: it is told, and is no violation."""

    violation: Violation
    acceptance: Acceptance


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one invariant. `seconds` are wall time; `skipped_reason` says what was not checked, and why.

    `accepted` are not among the `violations`.
    """

    code: str
    meaning: str
    rows: int
    violations: int
    accepted: int
    seconds: float
    skipped_reason: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """Every invariant asked for, and the first violations of each."""

    began_at: datetime
    """Wall time at which the snapshot was taken."""
    since: datetime | None
    """Wall time from which on changes were looked at; null: everything was."""
    checked: tuple[Checked, ...]
    violations: tuple[Violation, ...]
    accepted: tuple[Accepted, ...] = ()
    """All of them. Only an audit with acceptances has any."""
    witness_away: str | None = None
    """Why the witness that there is could not be asked."""

    @property
    def found(self) -> int:
        """How many violations there are, those that are not shown too."""
        return sum(each.violations for each in self.checked)

    @property
    def broken(self) -> bool:
        return self.found > 0

    @property
    def witnessed(self) -> bool:
        """Whether a witness was read."""
        return not self.unwitnessed

    @property
    def unwitnessed(self) -> tuple[str, ...]:
        """Codes of the invariants that were looked at on our own side only."""
        return tuple(each.code for each in self.checked if each.skipped_reason is not None)
