"""The SDK's HTTP over our own road.

The SDK's own client follows redirects, reads bodies of any size, and shares sockets with a forked child.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import stripe

from billing.providers.road import Answered, Road

_AGENT = f"Stripe/v1 PythonBindings/{stripe.VERSION}"
_UNSENT_HEADERS = {"x-stripe-client-user-agent", "x-stripe-client-telemetry", "user-agent"}
_UNREAD_HEADERS = {"stripe-notice"}


class BoundedClient(stripe.HTTPClient):
    """HTTP for the SDK, as `Road` does it; `connect_s` and `read_s` as there.

    Every failure is a `stripe.APIConnectionError` whose cause is the error of `requests`.
    """

    name = "requests"

    def __init__(self, *, connect_s: float, read_s: float) -> None:
        super().__init__()
        self._road = Road(connect_s=connect_s, read_s=read_s)

    def request(  # type: ignore[override]  # the SDK declares str here and takes bytes, as its own clients return
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> Answered:
        sent = {name: value for name, value in (headers or {}).items() if name.lower() not in _UNSENT_HEADERS}
        try:
            body, status, told = self._road.send(method, url, {**sent, "User-Agent": _AGENT}, post_data)
        except Exception as error:
            raise stripe.APIConnectionError(type(error).__name__) from error  # type: ignore[no-untyped-call]
        for name in _UNREAD_HEADERS:
            told.pop(name, None)  # type: ignore[attr-defined]  # requests' own mapping
        return body, status, told

    def close(self) -> None:
        """Close this process's connections."""
        self._road.close()
