"""The OpenAPI document, made from the table of operations: what is served is what is said."""

from __future__ import annotations

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from billing.api.operation import Operation
from billing.api.problems import Problem
from billing.api.table import OPERATIONS
from billing.validators.api_key import Scope

_REF = "#/components/schemas/{model}"
_ABOUT = """\
Amounts are whole minor units beside their currency; exact decimals are strings; instants are ISO 8601 with an offset.
A key acts for one seller. Every POST needs an `Idempotency-Key`: for 24 hours the same request under it gets the same
answer and does nothing more. `If-Match` with the `version` that was seen refuses (412) what has changed since. Whatever
is refused says why as problem+json: a code, the field, and how to mend it."""


def document() -> dict[str, Any]:
    """OpenAPI 3.1 of the whole API."""
    shapes = {(shape, "validation") for each in OPERATIONS for shape in (each.body, each.query) if shape}
    shapes |= {(each.answer, "serialization") for each in OPERATIONS} | {(Problem, "serialization")}
    ordered = sorted(shapes, key=lambda pair: (pair[0].__name__, pair[1]))
    names, schemas = models_json_schema(ordered, ref_template=_REF)  # type: ignore[arg-type]
    paths: dict[str, Any] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, names, schemas["$defs"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Billing", "version": "1", "description": _ABOUT},
        "servers": [{"url": "/api/v1"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`billing keys create`"}},
            "schemas": dict(sorted(schemas["$defs"].items())),
        },
    }


def _operation(each: Operation, names: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.about,
        "description": f"Needs the scope `{Scope(each.scope)}`.",
        "tags": [each.path.split("/")[1]],
        "parameters": [*_of_path(each), *_of_query(each, names, schemas), *_of_headers(each)],
        "responses": {
            str(each.status): {
                "description": "Done",
                "headers": _RATE | (_REPLAYED if each.changes else {}),
                "content": _content(each, names),
            },
            **{str(status): _problem(names, said) for status, said in _problems(each).items()},
        },
    }
    if each.body is not None:
        schema = names[each.body, "validation"]
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return made


def _content(each: Operation, names: Any) -> dict[str, Any]:
    if each.media != "application/json":
        return {each.media: {"schema": {"type": "string", "format": "binary"}}}
    return {each.media: {"schema": names[each.answer, "serialization"]}}


def _of_path(each: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
        for name in re.findall(r"{(\w+)}", each.path)
    ]


def _of_query(each: Operation, names: Any, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if each.query is None:
        return []
    shape = schemas[names[each.query, "validation"]["$ref"].rpartition("/")[2]]
    required = shape.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in said.items() if key != "description"},
            **({"description": said["description"]} if "description" in said else {}),
        }
        for name, said in map(_not_null, shape["properties"].items())
    ]


def _not_null(pair: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """A parameter that is left out is null to us; nobody can send one."""
    name, said = pair
    if "anyOf" in said:
        (wanted,) = [each for each in said["anyOf"] if each != {"type": "null"}]
        rest = {key: value for key, value in said.items() if key not in ("anyOf", "default")}
        return name, rest | wanted
    return name, said


def _of_headers(each: Operation) -> list[dict[str, Any]]:
    wanted = []
    if each.changes:
        schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]{1,255}$"}
        said = "A random text, the same for each try of one request."
        wanted.append(
            {"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema, "description": said}
        )
    if each.versioned:
        schema = {"type": "string", "pattern": '^"?[1-9][0-9]{0,8}"?$'}
        said = "The `version` that was seen: refused (412) where it is another by now."
        wanted.append({"name": "If-Match", "in": "header", "required": False, "schema": schema, "description": said})
    return wanted


def _problems(each: Operation) -> dict[int, str]:
    found = {
        401: "No valid key",
        403: "The key lacks the scope",
        413: "Too large",
        422: "The values don't hold",
        429: "Too many requests",
        503: "Not now: repeat it",
    }
    if each.body is not None:
        found |= {400: "Not JSON, or no Idempotency-Key", 415: "Not JSON"}
    if each.changes:
        found |= {400: "Not JSON, or no Idempotency-Key", 409: "The state of things, or a request that runs"}
    if each.scope is Scope.PERSONAL:
        found[409] = "What was personal is gone"
    if "{" in each.path:
        found[404] = "No such thing"
    if each.versioned or each.changes:
        found[412] = "It has changed meanwhile"
    if each.method != "GET":
        found |= {409: "The state of things doesn't allow it", 502: "The provider refused"}
    return dict(sorted(found.items()))


def _problem(names: Any, said: str) -> dict[str, Any]:
    schema = names[Problem, "serialization"]
    return {"description": said, "content": {"application/problem+json": {"schema": schema}}}


_RATE = {
    "RateLimit-Limit": {"schema": {"type": "integer"}, "description": "Requests that the key may make in a minute."},
    "RateLimit-Remaining": {"schema": {"type": "integer"}, "description": "How many of them are left."},
    "RateLimit-Reset": {"schema": {"type": "integer"}, "description": "Seconds until the next minute."},
}
_REPLAYED = {
    "Idempotent-Replayed": {"schema": {"type": "string"}, "description": "`true` where it was answered before."}
}
