"""Files that commands write for whoever asked for them."""

from __future__ import annotations

from pathlib import Path

from billing.kernel.errors import Fault, Refused


def write(path: Path, content: bytes) -> None:
    """Write it whole, over what was there. Raises Refused where that can't be."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise not_writable(error, "a file in a folder of yours") from error


def not_writable(error: OSError, mend: str) -> Refused:
    """Why `--out` is refused, and what to name instead."""
    return Refused(Fault("out", "not_writable", f"{error.strerror}; name {mend}"))
