"""The SDK's HTTP, straight into an application of this process: for a stand-in that is mounted, not served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import requests
import stripe

Answer = tuple[bytes, int, Mapping[str, str]]
"""Body, status, headers."""


class MountedClient(stripe.HTTPClient):
    """`ask` serves (method, address, headers, body); it raises `lost` where a caller is to get no answer at all."""

    name = "mounted"

    def __init__(self, ask: Callable[[str, str, Mapping[str, str], Any], Answer], *, lost: type[Exception]) -> None:
        super().__init__()
        self._ask = ask
        self._lost = lost

    def request(  # type: ignore[override]  # as in `transport`
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> Answer:
        try:
            return self._ask(method.upper(), url, headers or {}, post_data)
        except self._lost:
            # To the SDK this is a time-out of the network, told as `transport` tells it.
            raise stripe.APIConnectionError("ReadTimeout") from requests.ReadTimeout()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """There is no connection."""
