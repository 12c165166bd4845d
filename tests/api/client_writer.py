"""Write examples/client/billing_client.py anew, from docs/openapi.json: python -m tests.api.client_writer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "examples" / "client" / "billing_client.py"

_HEAD = '''"""A typed client of the billing API, made from docs/openapi.json: don't edit it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict
from uuid import uuid4

import requests


class Problem(Exception):
    """What was refused: `code`, `field` and `mend` of the first fault; `faults` are all of them.

    `retry_after_s`: after so many seconds the same request may be sent again, under its `idempotency_key`; None: look
    at `mend`. The code `not_from_billing` is that of an answer by whatever stands before billing, such as a proxy.
    """

    def __init__(self, status: int, said: dict[str, Any], *, retry_after_s: int | None = None) -> None:
        self.status, self.code, self.field, self.mend = status, said["code"], said["field"], said["mend"]
        self.faults: list[dict[str, str]] = said["faults"]
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.code}: {self.field}: {self.mend}")


def _problem(answer: requests.Response) -> Problem:
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        mend = "look at the address, and what stands before it"
        fault = {"field": "request", "code": "not_from_billing", "mend": mend}
        return Problem(answer.status_code, fault | {"faults": [fault]})
    wait = answer.headers.get("Retry-After")
    return Problem(answer.status_code, answer.json(), retry_after_s=int(wait) if wait else None)


'''
_CLIENT = '''class Client:
    """Asks with a key, once: a request whose answer is lost raises what `requests` raises.

    `idempotency_key`: the same for each try of one request, so give one that you keep; without, a new one is made each
    time, and what is sent again may be done twice. Lists go on with `after`, the `next` of the page before.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = 30, session: requests.Session | None = None) -> None:
        """`url`: of the service, such as https://billing.example.com."""
        self._url, self._timeout_s = url.rstrip("/") + "/api/v1", timeout_s
        self._session = session or requests.Session()
        self._headers = {"Authorization": f"Bearer {key}"}

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
        version: int | None = None,
    ) -> Any:
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = idempotency_key or str(uuid4())
        if version is not None:
            headers["If-Match"] = str(version)
        given = {name: value for name, value in (query or {}).items() if value is not None}
        asked = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
        answer = self._session.request(
            method, self._url + path, params=asked, json=body, headers=headers, timeout=self._timeout_s
        )
        if not answer.ok:
            raise _problem(answer)
        return answer.json() if answer.headers["Content-Type"].startswith("application/json") else answer.content
'''


def written(document: dict[str, Any]) -> str:
    """The client's source."""
    schemas = document["components"]["schemas"]
    shapes = [_shape(name, said) for name, said in schemas.items() if name != "Problem"]
    methods = [
        _method(path, method, said) for path, methods in document["paths"].items() for method, said in methods.items()
    ]
    return _HEAD + "\n\n".join(shapes) + "\n\n" + _CLIENT + "".join(methods)


def _shape(name: str, said: dict[str, Any]) -> str:
    about = " ".join(said.get("description", name).split())
    if "enum" in said:
        return f"{_name(name)} = {_type(said)}\n"
    lines = [f"class {_name(name)}(TypedDict):", f'    """{about}"""', ""]
    required = said.get("required", [])
    for field, inner in said.get("properties", {}).items():
        kind = _type(inner)
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
    return "\n".join(lines) + "\n"


def _name(name: str) -> str:
    return re.sub(r"\W+", "", name.replace("_", ""))


def _type(said: dict[str, Any]) -> str:
    if "$ref" in said:
        return _name(said["$ref"].rpartition("/")[2])
    if "anyOf" in said:
        return " | ".join(_type(each) for each in said["anyOf"])
    if "enum" in said:
        return f"Literal[{', '.join(map(repr, said['enum']))}]".replace("'", '"')
    if "const" in said:
        return f'Literal["{said["const"]}"]'
    simple = {"string": "str", "integer": "int", "boolean": "bool", "null": "None", "number": "float"}
    match said.get("type"):
        case "array":
            return f"list[{_type(said['items'])}]"
        case "object":
            return "dict[str, Any]"
        case kind:
            return simple.get(str(kind), "Any")


def _method(path: str, method: str, said: dict[str, Any]) -> str:
    queries = [each for each in said["parameters"] if each["in"] == "query"]
    headers = {each["name"] for each in said["parameters"] if each["in"] == "header"}
    arguments, call = ["self"], [f'"{method.upper()}"', ('f"' if "{" in path else '"') + path + '"']
    if "{id}" in path:
        arguments.append("id: str")
    if "requestBody" in said:
        shape = said["requestBody"]["content"]["application/json"]["schema"]
        arguments.append(f"body: {_type(shape)}")
        call.append("body=body")
    named = [
        f"{each['name']}: {_type(each['schema'])}{'' if each['required'] else ' | None = None'}" for each in queries
    ]
    if queries:
        call.append("query={" + ", ".join(f'"{each["name"]}": {each["name"]}' for each in queries) + "}")
    if "Idempotency-Key" in headers:
        named.append("idempotency_key: str | None = None")
        call.append("idempotency_key=idempotency_key")
    if "If-Match" in headers:
        named.append("version: int | None = None")
        call.append("version=version")
    if named:
        arguments += ["*", *named]
    (done,) = [inner for status, inner in said["responses"].items() if status.startswith("2")]
    ((media, content),) = done["content"].items()
    answer = _type(content["schema"]) if media == "application/json" else "bytes"
    return (
        f"\n    def {said['operationId']}({', '.join(arguments)}) -> {answer}:\n"
        f'        """{said["summary"]}"""\n'
        f"        made: {answer} = self._ask({', '.join(call)})\n"
        f"        return made\n"
    )


if __name__ == "__main__":
    COMMITTED.parent.mkdir(exist_ok=True)
    COMMITTED.write_text(written(json.loads((ROOT / "docs" / "openapi.json").read_text())))
