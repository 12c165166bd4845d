"""Settings of the console: how operators enter it, and what needs two of them."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from billing.settings.forms import Network, networks
from billing.settings.printed import Printed


class Entered(Printed):
    """Who may enter, and for how long."""

    billing_console: Literal["off", "password", "proxy"] = "off"
    """How operators enter `/console`: by password and one-time code, or named by a proxy. Off: there is none."""
    billing_console_header: str = "X-Forwarded-User"
    """With `proxy`: the header in which it says who somebody is."""
    billing_console_proxies: str = ""
    """With `proxy`: networks that the header is believed from, by the connection's own address: 10.0.0.5/32,::1/128."""
    billing_console_idle_minutes: int = Field(default=30, gt=0, le=10_080)
    """A session that nobody used for so long is over (wall time)."""
    billing_console_session_hours: int = Field(default=12, gt=0, le=720)
    """A session is over after so long, used or not."""
    billing_second_person_above: str = Field(
        default="500", examples=["amounts such as 500,jpy:75000"], pattern=r"^\d+(\.\d+)?(,[a-z]{3}:\d+(\.\d+)?)*$"
    )
    """From this amount on (main units; others by currency: 500,jpy:75000) an order of the console needs another."""

    @model_validator(mode="after")
    def _console_is_closed(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        trusted = self.console_proxies
        if self.billing_console == "proxy" and not trusted:
            raise ValueError("BILLING_CONSOLE_PROXIES: say which addresses the header is believed from")
        if any(each.prefixlen == 0 for each in trusted):
            raise ValueError("BILLING_CONSOLE_PROXIES: a network of all addresses would let anybody in")
        if not re.fullmatch(r"[A-Za-z0-9-]+", self.billing_console_header):
            raise ValueError("BILLING_CONSOLE_HEADER: give a header's name, such as X-Forwarded-User")
        return self

    @property
    def console_proxies(self) -> list[Network]:
        """Where the console's header is believed from."""
        return networks("BILLING_CONSOLE_PROXIES", self.billing_console_proxies)
