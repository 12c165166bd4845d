"""What has been run of this very code, in a file, so that the next start goes on there."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from billing.sandbox.crash.case import Trace
from billing.sandbox.crash.run import Outcome, Result
from billing.sandbox.environment import ROOT


class Journal:
    """One file of JSON lines in `folder`, for one state of the code and one seed. Another state begins another file."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{_digest_of_code()}-{seed}.jsonl"
        self.trace: Trace | None = None
        self.results: dict[tuple[str, str], Result] = {}
        """By row and case."""
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                self._take(json.loads(line))

    def forget(self) -> None:
        """Begin anew."""
        self._path.unlink(missing_ok=True)
        self.trace, self.results = None, {}

    def note_trace(self, trace: Trace) -> None:
        self.trace = trace
        self._write({"trace": {each.name: dict(getattr(trace, each.name)) for each in fields(trace)}})

    def note(self, result: Result) -> None:
        """Keep it. One that failed is run again by the next start."""
        self.results[result.row, result.name] = result
        self._write({"result": asdict(result)})

    def holds(self, row: str, name: str) -> bool:
        """Whether this case was run and did not fail."""
        result = self.results.get((row, name))
        return result is not None and not result.failed

    def _write(self, entry: dict[str, object]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def _take(self, entry: dict[str, Any]) -> None:
        if "trace" in entry:
            self.trace = Trace(**{name: Counter(passed) for name, passed in entry["trace"].items()})
        else:
            kept = entry["result"]
            kept |= {"outcome": Outcome(kept["outcome"]), "problems": tuple(kept["problems"])}
            self.results[kept["row"], kept["name"]] = Result(**kept)


def _digest_of_code() -> str:
    """Of all that is run: the package, the migrations in it, and the roof."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("*.py"), *ROOT.joinpath("billing").rglob("*.py")]):
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
