"""Before anything is done: who asks, how often, with which body."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Request, g
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from billing.api.operation import Call, Operation
from billing.api.problems import faults_of
from billing.api.shapes import Shape
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.privacy.api_token import fingerprint
from billing.queries.api_key import Entered, enter

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_ESCAPED_NUL, _NUL = b"\\u0000", Fault("request", "not_valid", "leave the sign U+0000 out of every text")
_VERSION = re.compile(r'"?([1-9][0-9]{0,8})"?')


def let_in(parts: Parts, request: Request) -> Entered:
    """Who has this key; the request is counted. Raises `Refused`: `api_key_missing`, `api_key_invalid`,
    `too_many_requests`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(Fault("Authorization", "api_key_missing", "send Authorization: Bearer and a key"))
    hash_ = fingerprint(token.strip())
    entered = None
    if hash_ is not None:
        with parts.begin() as session:
            entered = enter(session, hash_)
    if entered is None:
        raise Refused(Fault("Authorization", "api_key_invalid", "the key is unknown, revoked or rotated; use another"))
    g.entered = entered
    if entered.requests > parts.settings.billing_api_requests_per_minute:
        raise Refused(Fault("Authorization", "too_many_requests", f"wait {entered.resets_in_s} s"))
    return entered


def rate_headers(parts: Parts, entered: Entered) -> dict[str, str]:
    """How much of the minute's rate is left."""
    limit = parts.settings.billing_api_requests_per_minute
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(max(0, limit - entered.requests)),
        "RateLimit-Reset": str(entered.resets_in_s),
    }


def read(parts: Parts, entered: Entered, operation: Operation, request: Request, path: dict[str, object]) -> Call:
    """The request, checked. Raises `Refused` with every fault of its body, query and headers."""
    call = Call(
        parts=parts,
        seller_id=entered.seller_id,
        actor=f"api:{entered.prefix}",
        operation=operation,
        scopes=frozenset(entered.scopes),
        path=path,
    )
    call.require(operation.scope)
    raw, faults = _body(operation, request), list[Fault]()
    call.body = None if operation.body is None else _noting(faults, _parsed, operation.body, raw)
    call.query = _noting(faults, _query, operation.query or Shape, request)
    call.version = _noting(faults, _version, request) if operation.versioned else None
    call.key = _noting(faults, _key, request) if operation.changes else None
    call.request = b"\0".join((operation.method.encode(), request.path.encode(), raw))
    if faults:
        raise Refused(faults)
    return call


def _noting(faults: list[Fault], read: Callable[..., Any], *given: Any) -> Any:
    """What a part of the request says; where it is refused, why is noted, and the other parts are read all the same."""
    try:
        return read(*given)
    except Refused as refused:
        faults += refused.faults
        return None


def _body(operation: Operation, request: Request) -> bytes:
    request.max_content_length = operation.body_limit
    try:
        raw = request.get_data()
    except RequestEntityTooLarge:
        mend = f"send at most {operation.body_limit} bytes"
        raise Refused(Fault("body", "body_too_large", mend)) from None
    if operation.body is not None and request.mimetype != "application/json":
        raise Refused(Fault("Content-Type", "not_the_media_type", "send application/json"))
    return raw


def _parsed(shape: type[BaseModel], raw: bytes) -> BaseModel:
    made, faults, broken = None, list[Fault](), list[Fault]()
    try:
        made = shape.model_validate_json(raw)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise Refused(Fault("body", "not_json", "send one JSON object, in UTF-8")) from None
        broken = faults_of(error)
    _noting(faults, _look_through, raw)
    faults += broken
    if made is None or faults:
        raise Refused(faults)
    return made


def _look_through(raw: bytes) -> None:
    read = _READER.decode(raw.decode(errors="replace"))
    if _ESCAPED_NUL in raw and _holds_nul(read):
        raise Refused(_NUL)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names each stand once: of two amounts under one name nobody can say which is meant (RFC 8259)."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise Refused([Fault(name, "given_twice", "give it once") for name, count in counts.items() if count > 1])
    return found


_READER = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str)
"""Of bodies that a shape has read, whose parser tells of no name that stands twice. Numbers stay text."""


def _holds_nul(value: object) -> bool:
    """Whether a text in it has the one sign that PostgreSQL can't store."""
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(_holds_nul(each) for pair in value.items() for each in pair)
        case list():
            return any(map(_holds_nul, value))
        case _:
            return False


def _query(shape: type[BaseModel], request: Request) -> BaseModel:
    if twice := [name for name in request.args if len(request.args.getlist(name)) > 1]:
        raise Refused([Fault(name, "given_twice", "give it once") for name in twice])
    if _holds_nul(request.args.to_dict()):
        raise Refused(_NUL)
    try:
        return shape.model_validate(request.args.to_dict(), strict=False)
    except ValidationError as error:
        raise Refused(faults_of(error)) from None


def _key(request: Request) -> str:
    given = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(given):
        mend = "give a random text of up to 255 signs without spaces, the same for each try of one request"
        raise Refused(Fault("Idempotency-Key", "idempotency_key_missing", mend))
    return given


def _version(request: Request) -> int | None:
    given = request.headers.get("If-Match")
    if given is None:
        return None
    found = _VERSION.fullmatch(given.strip())
    if found is None:
        raise Refused(Fault("If-Match", "not_a_version", "give the version that you saw, such as 3"))
    return int(found[1])
