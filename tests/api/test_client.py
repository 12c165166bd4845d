"""The typed client is the document's, and works over HTTP."""

from __future__ import annotations

import ast
import importlib.util
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.api.client_writer import COMMITTED, written
from tests.api.document import COMMITTED as DOCUMENT
from tests.api.program import anna, application, basic, key_of
from tests.flows.company import Company


def test_the_committed_client_is_made_from_the_committed_document() -> None:
    made = written(json.loads(DOCUMENT.read_text()))
    assert ast.dump(ast.parse(made)) == ast.dump(ast.parse(COMMITTED.read_text())), "python -m tests.api.client_writer"


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def url(acme: Company) -> Iterator[str]:
    with served(application(acme.parts)) as address:
        yield address


@pytest.fixture
def module() -> Any:
    spec = importlib.util.spec_from_file_location("billing_client", COMMITTED)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_client_works_end_to_end(acme: Company, url: str, module: Any) -> None:
    client = module.Client(url, key_of(acme))
    customer = anna()
    profile = client.create_profile(customer, idempotency_key="c1")
    assert client.create_profile(customer, idempotency_key="c1") == profile
    made = client.create_subscription(basic(customer))
    invoice = client.show_invoice(made["latest_invoice"]["id"])
    assert client.list_invoices(profile_id=profile["id"])["data"][0]["number"] == invoice["number"]
    assert client.print_invoice(invoice["id"])[:5] == b"%PDF-"
    owed = client.report_aging(as_of="2026-12-31", by_customer=True)["rows"]
    assert customer["account_id"] in {each["account_id"] for each in owed}
    canceled = client.cancel_subscription(made["id"], {"when": "period_end"}, version=made["version"])
    assert canceled["cancel_at"]
    with pytest.raises(module.Problem) as refused:
        client.cancel_subscription(made["id"], {}, version=made["version"])
    assert (refused.value.status, refused.value.code) == (412, "stale")


def test_the_client_tells_when_to_ask_again_and_what_is_not_billings_answer(
    acme: Company, url: str, module: Any
) -> None:
    key = key_of(acme)
    settings = acme.parts.settings.model_copy(update={"billing_api_requests_per_minute": 1})
    with served(application(replace(acme.parts, settings=settings))) as narrow:
        client = module.Client(narrow, key)
        client.list_profiles()
        with pytest.raises(module.Problem) as too_many:
            client.list_profiles()
    assert (too_many.value.status, too_many.value.code) == (429, "too_many_requests")
    assert 0 < too_many.value.retry_after_s <= 60
    with pytest.raises(module.Problem) as elsewhere:
        module.Client(f"{acme.witness_url}/nothing", key).list_profiles()
    assert (elsewhere.value.status, elsewhere.value.code) == (404, "not_from_billing")
    assert elsewhere.value.retry_after_s is None
