"""The index of `docs/operate/`, made from the pages themselves: `python -m tests.docs.operate_index` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from billing.kernel.work import WorkKind, page_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "operate"
INDEX = FOLDER / "README.md"
_KINDS = {Path(page_of(kind)).name for kind in WorkKind}
_HEAD = (
    "# What to do, page by page\n\nMade from the pages; each is short, and every command on it is checked by a test.\n"
)


def pages() -> list[Path]:
    """Every page but the index, by name."""
    return sorted(path for path in FOLDER.glob("*.md") if path != INDEX)


def index() -> str:
    """The index as it must be: each page with its first sentence."""
    parts = {"Work to carry out": [], "Alerts": [], "Work items": []}
    for path in pages():
        group = "Work items" if path.name in _KINDS else "Alerts" if path.name.startswith("billing-") else None
        title, _, rest = path.read_text().partition("\n\n")
        first = re.split(r"(?<=[.:])\s", " ".join(rest.partition("\n\n")[0].split()))[0].rstrip(":")
        parts[group or "Work to carry out"].append(f"- [{title.removeprefix('# ')}]({path.name}) – {first}")
    told = [f"## {name}\n\n" + "\n".join(lines) + "\n" for name, lines in parts.items() if lines]
    return "\n".join([_HEAD, *told])


if __name__ == "__main__":
    INDEX.write_text(index())
