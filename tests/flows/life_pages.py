"""What people and programs look at in a life: pages of the console and of its customers, and answers of the API.

Each opens, whatever state its subject is in; answers of the API are of the shape that docs/openapi.json tells.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import jsonschema
from flask.testing import FlaskClient

from billing.flows import links
from billing.rules.permission import Role
from billing.views.customer import customer_page
from billing.webhooks.app import create_app
from tests.api.program import Program, application, key_of
from tests.flows.life import Life
from tests.views.console.conftest import House, served

_API: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs/openapi.json").read_text())
_MOST_ALIKE = 40
"""Of pages of one kind so many are opened."""
_MOST_PDFS = 2
"""Of each seller; they take longest."""
_LINK = re.compile(r'href="([^"#]+)"')
_LEAVES = ("/console/assets", "/console/leave")
_ASKED_OF_ONE = {"/refunds": ("invoice_id", "/invoices"), "/payment-methods": ("profile_id", "/profiles")}
_ASKED_WITH = {"/provider-events": "&status=dead"}


def unopened(life: Life) -> list[object]:
    """What does not open, or is of another shape than was told."""
    return [*_console(life), *_customers(life), *_programs(life)]


def _console(life: Life) -> Iterator[object]:
    house = House(life.acme, served(life.acme.parts))
    yield from _walk(house.person("root", Role.ADMIN).client, "/console/")


def _customers(life: Life) -> Iterator[object]:
    app = create_app(life.acme.parts)
    app.register_blueprint(customer_page(life.acme.parts))
    client = app.test_client()
    for whom in life.profiles:
        with life.acme.parts.begin() as session:
            link = links.profile_link(life.acme.parts, session, whom)
        yield from _walk(client, urlsplit(link).path)


def _walk(client: FlaskClient, start: str) -> Iterator[object]:
    """Follow links from page to page."""
    seen, ahead, alike = {start}, [start], Counter[str]()
    while ahead:
        path = ahead.pop()
        answer = client.get(path)
        if answer.status_code >= 400:
            yield path, answer.status_code
        elif answer.mimetype == "text/html":
            for link in map(unescape, _LINK.findall(answer.text)):
                kind = re.sub(r"[0-9a-f-]{36}|\d+", "*", link)
                if link.startswith(start.rpartition("/")[0]) and not link.startswith(_LEAVES) and link not in seen:
                    alike[kind] += 1
                    if alike[kind] <= _MOST_ALIKE:
                        seen.add(link)
                        ahead.append(link)


def _programs(life: Life) -> Iterator[object]:
    for seller_id in sorted({house.seller_id for house in life.houses}):
        yield from _program(life, seller_id)


def _program(life: Life, seller_id: UUID) -> Iterator[object]:
    shop = Program(application(life.acme.parts), key_of(life.acme, seller_id=seller_id))
    now = life.acme.now()
    asked = {"month": f"month={now:%Y-%m}", "as_of": f"as_of={now:%Y-%m-%d}", "limit": "limit=100"}
    found: dict[str, list[str]] = {}
    for path in sorted(_API["paths"], key=lambda path: path in _ASKED_OF_ONE):
        operation = _API["paths"][path].get("get")
        if operation is None or "{" in path or path == "/reports/payout":
            continue
        query = "&".join(asked[name] for name in _parameters(operation) if name in asked) + _ASKED_WITH.get(path, "")
        if path in _ASKED_OF_ONE:
            name, others = _ASKED_OF_ONE[path]
            urls = [f"{path}?{query}&{name}={id_}" for id_ in found[others]]
        else:
            urls = [f"{path}?{query}"]
        for url in urls:
            answer = shop.ask("GET", url)
            yield from _wrong(url, answer, operation)
            listed = answer.json.get("data") if isinstance(answer.json, dict) else None
            found.setdefault(path, []).extend(each["id"] for each in listed or () if "id" in each)
    for path, paths in _API["paths"].items():
        noun, _, rest = path.partition("/{id}")
        if "get" in paths and noun in found and noun != path:
            for id_ in found[noun][: _MOST_PDFS if rest == "/pdf" else None]:
                url = f"{noun}/{id_}{rest}" + ("?reason=looking" if "reason" in _parameters(paths["get"]) else "")
                yield from _wrong(url, shop.ask("GET", url), paths["get"])


def _parameters(operation: Any) -> list[str]:
    return [each["name"] for each in operation.get("parameters", ()) if "name" in each]


def _wrong(url: str, answer: Any, operation: Any) -> Iterator[object]:
    """A person who was forgotten has nothing to be looked at."""
    if answer.status_code >= 400:
        if answer.json["code"] != "profile_erased":
            yield url, answer.status_code, answer.json["code"]
        return
    told = operation["responses"][str(answer.status_code)]
    shape = told.get("content", {}).get("application/json", {}).get("schema")
    if shape is not None:
        whole = jsonschema.Draft202012Validator({**shape, "components": _API["components"]})
        yield from ((url, "/".join(map(str, each.path)), each.message) for each in whole.iter_errors(answer.json))
