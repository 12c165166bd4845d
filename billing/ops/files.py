"""Files that commands write for whoever asked for them."""

from __future__ import annotations

import os
from pathlib import Path

from billing.kernel.errors import Fault, Refused


def write(path: Path, content: bytes) -> None:
    """Write it whole, over what was there. Raises Refused where that can't be.

    It names people: a new file is its maker's alone; who may read one that was there is left as it is.
    """
    try:
        with open(path, "wb", opener=_makers_alone) as file:
            file.write(content)
    except OSError as error:
        raise not_writable(error, "a file in a folder of yours") from error


def not_writable(error: OSError, mend: str) -> Refused:
    """Why `--out` is refused, and what to name instead."""
    return Refused(Fault("out", "not_writable", f"{error.strerror}; name {mend}"))


def _makers_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
