"""What an audit says of a thing, as one short text to compare by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def findings_digest(findings: Sequence[Mapping[str, Any]]) -> str:
    """The same for the same words, in whatever order and however often they are said; in hex."""
    said = sorted({json.dumps(each, sort_keys=True) for each in findings})
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
