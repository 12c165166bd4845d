"""No exception of the SDK, and nothing that it carries, leaves the adapter."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import stripe
from stripe import _error as sdk_errors
from stripe.oauth_error import OAuthError

from billing.kernel.errors import BillingError, ProviderRefused, ProviderUnavailable, ProviderUncertain
from billing.providers.port import Outcome
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client
from billing.providers.stripe.failures import failure_of
from billing.providers.stripe.outcomes import of_failure
from tests.providers.stripe import scripted as server_says
from tests.providers.stripe.making import KEY, charge, intent, provider_at, request
from tests.providers.stripe.scripted import Handler, says, says_error, says_json, scripted

SECRET = "Someone Real, someone@example.org"

Call = Callable[[StripeProvider], Any]

READS: dict[str, Call] = {
    "account": lambda p: p.account(),
    "read_setup": lambda p: p.read_setup("seti_1"),
    "read_method": lambda p: p.read_method("pm_1"),
    "read_intent": lambda p: p.read_intent("pi_1"),
    "list_intents": lambda p: list(p.list_intents(customer_ref="cus_1", created_from=datetime(2026, 1, 1, tzinfo=UTC))),
    "list_charges": lambda p: list(p.list_charges(intent_ref="pi_1")),
}
WRITES: dict[str, Call] = {
    "create_customer": lambda p: p.create_customer(anonymous_id=uuid4(), key="k"),
    "begin_setup": lambda p: p.begin_setup(customer_ref="cus_1", key="k", kind="card"),
    "attach_method": lambda p: p.attach_method(customer_ref="cus_1", method_ref="pm_1", key="k"),
    "detach_method": lambda p: p.detach_method("pm_1", key="k"),
    "cancel_intent": lambda p: p.cancel_intent("pi_1", key="k"),
}
CHARGES: dict[str, Call] = {
    "create": lambda p: p.charge(request(), key=KEY, key_age_s=0),
    "confirm": lambda p: p.charge(request(intent_ref="pi_1"), key=KEY, key_age_s=0),
}


def garbage() -> dict[str, Handler]:
    html = f"<html>{SECRET}</html>"
    return {
        "html 502": says(html, status=502, content_type="text/html"),
        "html 200": says(html, content_type="text/html"),
        "truncated json": says('{"id": "pi_1", "object": "payment_in'),
        "cut off in mid-body": server_says.stops_in_mid_body,
        "reset": server_says.resets,
        "hung up": server_says.closes,
        "silence": server_says.is_silent,
        "no content": says("", status=204),
        "empty 200": says(""),
        "json list": says("[]"),
        "json null": says("null"),
        "json number": says("7"),
        "empty object": says("{}"),
        "another object": says_json({"id": "bal_1", "object": "balance", "name": SECRET}),
        "wrong types": says_json({"id": 5, "object": "payment_intent", "data": {"a": 1}, "has_more": "yes"}),
        "a page that never comes": says_json({"object": "list", "data": [], "has_more": True, "url": "/v1/x"}),
        "strings in a page": says_json({"object": "list", "data": [SECRET], "has_more": False, "url": "/v1/x"}),
        "text as plain": says(SECRET, content_type="text/plain"),
        "bytes": says(b"\xff\xfe\x00\x80"),
        "nesting": says("[" * 100_000),
        "redirect": says(SECRET, status=302, Location="http://127.0.0.1:1/elsewhere"),
        "redirect in json": says_json({"error": {"type": "api_error"}}, status=307, Location="/v1/elsewhere"),
        "informal 500": says_json({"message": SECRET}, status=500),
        "stripe 500": says_error(500, type="api_error", message=SECRET),
        "endless body": server_says.never_ends,
        "bad status line": lambda peer: peer.sendall(b"SMTP ready\r\n\r\n"),
        "bad gzip": says(b"not gzip", Content_Encoding="gzip"),
    }


def assert_nothing_leaks(error: BaseException) -> None:
    seen = repr(error) + str(error) + repr(vars(error))
    assert "Someone" not in seen
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("answer", garbage().values(), ids=garbage().keys())
def test_a_server_that_answers_garbage_never_breaks_a_caller(answer: Handler) -> None:
    with scripted(answer) as server:
        provider = provider_at(server.address, read_s=0.2)
        for call in READS.values():
            with pytest.raises(ProviderUnavailable) as unavailable:
                call(provider)
            assert_nothing_leaks(unavailable.value)
        for call in WRITES.values():
            with pytest.raises(ProviderUncertain) as uncertain:
                call(provider)
            assert_nothing_leaks(uncertain.value)
        for call in CHARGES.values():
            outcome = call(provider)
            assert outcome.outcome is Outcome.UNKNOWN
            assert "Someone" not in repr(outcome)


@pytest.mark.parametrize(
    ("answer", "of_a_read", "of_a_write"),
    [
        (says_error(429, headers={"Retry_After": "3"}), ProviderUnavailable, ProviderUnavailable),
        (says_error(404, code="resource_missing"), ProviderRefused, ProviderRefused),
        (says_error(400, code="parameter_unknown"), ProviderRefused, ProviderRefused),
        (says_error(400, type="idempotency_error"), ProviderRefused, ProviderRefused),
        (says_error(401), ProviderRefused, ProviderRefused),
        (says_error(403), ProviderRefused, ProviderRefused),
        (says_error(402, code="card_declined"), ProviderRefused, ProviderRefused),
        (says_error(409, code="idempotency_key_in_use"), ProviderUnavailable, ProviderUncertain),
        (says_error(503), ProviderUnavailable, ProviderUncertain),
    ],
)
def test_stripes_own_errors_are_raised_by_what_to_do(
    answer: Handler, of_a_read: type[BillingError], of_a_write: type[BillingError]
) -> None:
    with scripted(answer) as server:
        provider = provider_at(server.address)
        for call in READS.values():
            with pytest.raises(of_a_read) as read:
                call(provider)
            assert_nothing_leaks(read.value)
        for call in WRITES.values():
            with pytest.raises(of_a_write) as write:
                call(provider)
            assert_nothing_leaks(write.value)


def test_a_missing_object_and_a_dead_key_are_told_apart() -> None:
    with scripted(says_error(404, code="resource_missing")) as server:
        with pytest.raises(ProviderRefused) as missing:
            provider_at(server.address).read_intent("pi_1")
        server.answer = says_error(401, code="api_key_expired")
        with pytest.raises(ProviderRefused) as dead:
            provider_at(server.address).read_intent("pi_1")
    assert (missing.value.code, missing.value.account_wide) == ("resource_missing", False)
    assert (dead.value.code, dead.value.account_wide) == ("api_key_expired", True)


def test_the_providers_wish_to_wait_reaches_the_caller() -> None:
    with scripted(says_error(429, headers={"Retry_After": "3"})) as server:
        with pytest.raises(ProviderUnavailable) as later:
            provider_at(server.address).read_intent("pi_1")
        assert later.value.retry_after_s == 3
        server.answer = says_error(429, headers={"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"})
        with pytest.raises(ProviderUnavailable) as undated:
            provider_at(server.address).read_intent("pi_1")
        assert undated.value.retry_after_s is None


@pytest.mark.parametrize("said", ["86400", "999999", "31536000"])
def test_no_wish_puts_an_attempt_off_for_days(said: str) -> None:
    """Its key would be too old by then to be sent again."""
    with scripted(says_error(429, headers={"Retry_After": said})) as server:
        provider = provider_at(server.address)
        with pytest.raises(ProviderUnavailable) as later:
            provider.read_intent("pi_1")
        assert later.value.retry_after_s == 3600
        assert provider.charge(request(), key=KEY, key_age_s=0).retry_after_s == 3600


def sdk_exception_classes() -> list[type[Exception]]:
    here = [kind for _, kind in inspect.getmembers(sdk_errors, inspect.isclass) if issubclass(kind, stripe.StripeError)]
    return [*here, *OAuthError.__subclasses__(), OAuthError]


def raised(kind: type[Exception], status: int | None) -> Exception:
    """An instance of any exception class of the SDK, filled as the SDK fills it."""
    error = kind.__new__(kind)
    stripe.StripeError.__init__(
        error,  # type: ignore[arg-type]
        SECRET,
        SECRET,
        status,
        {"error": {"type": "api_error", "code": "some_code", "message": SECRET}},
        {"request-id": "req_1"},
        None,
    )
    return error


def test_every_exception_class_of_the_sdk_has_an_outcome() -> None:
    classes = sdk_exception_classes()
    assert len(classes) > 25
    for kind in classes:
        for status in (None, 200, 302, 400, 401, 402, 403, 404, 409, 418, 429, 500, 503):
            failure = failure_of(raised(kind, status))
            outcome = of_failure(failure, first_sending=True)
            assert isinstance(outcome.outcome, Outcome)
            assert SECRET not in repr(outcome) + repr(failure) + str(failure.of_a_read()) + str(failure.of_a_write())
            if status is None or status >= 500:
                assert outcome.outcome is Outcome.UNKNOWN, kind


class Raising(stripe.HTTPClient):
    """An injected client that fails in a way of its own."""

    name = "raising"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def request(self, *_: Any, **__: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [raised(kind, 500) for kind in sdk_exception_classes()]
    + [ValueError(SECRET), TypeError(SECRET), RecursionError(SECRET), MemoryError(SECRET), OSError(5, SECRET)],
    ids=lambda error: type(error).__name__,
)
def test_whatever_an_injected_client_raises_becomes_ours(error: Exception) -> None:
    client = build_client(api_key="key_for_tests", connect_s=1, read_s=1, http_client=Raising(error))
    provider = StripeProvider(client=client, livemode=False)
    for call in (*READS.values(), *WRITES.values()):
        with pytest.raises(BillingError) as ours:
            call(provider)
        assert_nothing_leaks(ours.value)
    for call in CHARGES.values():
        assert call(provider).outcome is Outcome.UNKNOWN


def test_a_stop_of_the_whole_process_is_not_swallowed() -> None:
    class Stopping(Raising):
        def request(self, *_: Any, **__: Any) -> Any:
            raise KeyboardInterrupt

    client = build_client(api_key="key_for_tests", connect_s=1, read_s=1, http_client=Stopping(ValueError()))
    with pytest.raises(KeyboardInterrupt):
        StripeProvider(client=client, livemode=False).charge(request(), key=KEY, key_age_s=0)


def test_a_cancel_that_comes_too_late_answers_with_the_present_state() -> None:
    refusal = says_error(400, code="payment_intent_unexpected_state", payment_intent=intent())
    present = says_json(intent(latest_charge=charge()))
    with scripted() as server:

        def first_refuse(peer: socket.socket) -> None:
            (refusal if len(server.heard) == 1 else present)(peer)

        server.answer = first_refuse
        facts = provider_at(server.address).cancel_intent("pi_1", key="k:cancel")
        assert [heard.line.split()[0] for heard in server.heard] == ["POST", "GET"]
    assert facts.status == "succeeded"
