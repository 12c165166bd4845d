"""Write docs/openapi.json anew: python -m tests.api.document."""

from __future__ import annotations

import json
from pathlib import Path

from billing.api.document import document

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def written() -> str:
    """The document as it is committed and served."""
    return json.dumps(document(), indent=1)


if __name__ == "__main__":
    COMMITTED.write_text(written() + "\n")
