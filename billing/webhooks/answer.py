"""What a receiver is, and how it answers. Without the web's own libraries: a played scenario has no use for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from billing.kernel.errors import Fault

Answer = tuple[dict[str, Any], int]
"""Body and status."""

Receiver = Callable[[str, bytes, Mapping[str, Any]], Answer]
"""What takes deliveries of one provider: (account code, raw body, the request's environment) → the answer."""


def refusal(fault: Fault, status: int) -> Answer:
    """How a receiver says what is wrong."""
    return {"error": {"field": fault.field, "code": fault.code, "mend": fault.mend}}, status
