"""Pages for whoever opens a link: how each is written out, and the one of one sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from flask import Response, make_response, render_template

from billing.views.localising import visitors_texts

ASSETS = Path(__file__).parent / "assets"
KINDS = {"page.js": "text/javascript", "return.js": "text/javascript", "page.css": "text/css"}
_VERSIONS = {name: hashlib.sha256((ASSETS / name).read_bytes()).hexdigest()[:12] for name in KINDS}


def sheet(template: str, status: int, **values: Any) -> Response:
    """A page in the visitor's language."""
    response = make_response(render_template(template, versions=_VERSIONS, **values), status)
    response.headers["Vary"] = "Accept-Language"
    return response


def closed(code: str, status: int) -> Response:
    """The page of one sentence, where there is nothing else to show."""
    words = visitors_texts()
    return sheet("closed.html", status, words=words, told=words.message(code.removeprefix("link_")))
