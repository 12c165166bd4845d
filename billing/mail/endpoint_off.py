"""The letter to the owner of an endpoint that was switched off: it speaks of no customer, in English alone."""

from __future__ import annotations

from datetime import datetime

from markupsafe import escape

from billing.kernel.clock import format_instant
from billing.mail.letter import Letter


def endpoint_off(*, seller: str, code: str, reason: str, at: datetime) -> Letter:
    """What it is called, how its last tries ended (a code), since when it is off, and what is done about it."""
    what = f"The endpoint {code} took no event for too long (last outcome: {reason}) and was switched off at"
    said = [
        f"{what} {format_instant(at)}.",
        "What happens meanwhile is kept for it, and it gets that when it is switched on again.",
        "Have the receiver mended, then ask the operators of billing to switch it on.",
    ]
    return Letter(
        language="en",
        subject=f"{seller}: the endpoint {code} is switched off",
        text="\n\n".join(said) + "\n",
        html="".join(f"<p>{escape(each)}</p>" for each in said),
    )
