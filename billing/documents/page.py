"""A document as a page of its own: no script, one style sheet inside, fit for the screen and the printer."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from billing.documents.view import View

_HERE = Path(__file__).parent


def page(view: View) -> str:
    """The page. Every text is escaped."""
    # Our own file, which nobody's text gets into.
    style = Markup(_style())  # noqa: S704
    return _template().render(**view.as_data(), style=style)


@cache
def style_hash() -> str:
    """What a content policy names the page's one style sheet by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()


@cache
def _style() -> str:
    return (_HERE / "document.css").read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((_HERE / "document.html").read_text(encoding="utf-8"))
