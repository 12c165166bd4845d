"""What is said where no operation has an address, or not with that method."""

from __future__ import annotations

import re

from flask import Response

from billing.api.mends import ID
from billing.api.problems import problem
from billing.api.table import OPERATIONS
from billing.kernel.errors import Fault

_OWN = "/openapi.json"
_ID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_WORD = "[^/]+"


def absent(path: str) -> Response:
    """The answer to a request for an address (within the API) that its method doesn't have: 405 with what it has; else
    404, which says what an id looks like where one stands in its place."""
    allowed = _methods(path, _ID)
    if allowed:
        told = ", ".join(allowed)
        answer = problem([Fault("request", "method_not_allowed", f"use one of {told}")])
        answer.headers["Allow"] = told
        return answer
    if _methods(path, _WORD):
        by_number = "; GET /invoices?number= finds one by its number" if path.startswith("/invoices/") else ""
        return problem([Fault("id", "not_found", f"{ID}{by_number}")])
    return problem([Fault("path", "not_found", "see /api/v1/openapi.json")])


def _methods(path: str, of_id: str) -> list[str]:
    """Which methods the address has, where its ids are written like that."""
    found = {each.method for each in OPERATIONS if re.fullmatch(each.path.replace("{id}", of_id), path)}
    if path == _OWN:
        found.add("GET")
    return sorted(found | {"HEAD"} if "GET" in found else found)
