"""The web application as a test's provider reaches it: the real one, on a free port."""

from __future__ import annotations

import io
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from billing.flows.parts import Parts
from billing.views.customer import customer_page
from billing.webhooks.app import create_app


class Receiver:
    """Its address is known before its secret. `heard`: every request, its line, then its body.

    The application is made for its first request, which most tests never see.
    """

    def __init__(self) -> None:
        self._parts: Parts | None = None
        self._app: Flask | None = None
        self._making = Lock()
        self.heard: list[bytes] = []
        self._server = make_server("127.0.0.1", 0, self._call, threaded=True, request_handler=_Silent)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def _call(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        self.heard.append(asked.encode() + b"\n" + body)
        return self._application()(environ, start_response)

    def serve(self, parts: Parts) -> None:
        self._parts = parts
        self._thread.start()

    def _application(self) -> Callable[..., Any]:
        with self._making:
            if self._app is None:
                assert self._parts is not None
                self._app = create_app(self._parts)
                self._app.register_blueprint(customer_page(self._parts))
            return self._app

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


class _Silent(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Says nothing."""
