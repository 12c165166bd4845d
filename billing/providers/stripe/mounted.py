"""The SDK's HTTP, straight into an application of this process: for a stand-in that is mounted, not served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
from werkzeug.test import Client


class MountedClient(stripe.HTTPClient):
    """Calls `app` (WSGI). `lost` is what it raises where a caller is to get no answer: that passes for a time-out."""

    name = "mounted"

    def __init__(self, app: Callable[..., Any], *, lost: type[Exception]) -> None:
        super().__init__()
        self._client = Client(app)
        self._lost = lost

    def request(  # type: ignore[override]  # as in `transport`
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts = urlsplit(url)
        try:
            answer = self._client.open(
                parts.path, query_string=parts.query, method=method.upper(), headers=dict(headers or {}), data=post_data
            )
        except self._lost:
            raise stripe.APIConnectionError("ReadTimeout") from requests.ReadTimeout()  # type: ignore[no-untyped-call]
        return answer.get_data(), answer.status_code, dict(answer.headers)

    def close(self) -> None:
        """There is no connection."""
