"""Errors as Stripe answers them: status, body, headers, and what its idempotency layer does with them.

`saved` says whether the answer is kept under the request's idempotency key: it is once execution has begun, and is not
for validation errors, conflicts, rate limits and missing credentials (docs.stripe.com/api/idempotent_requests).
`effects` says that what was written before the error stays written: a declined charge is a charge.
"""

from __future__ import annotations

from typing import Any

from billing.sandbox.stripe.values import Json


class ApiError(Exception):
    """An answer that is not 2xx. The body is Stripe's `{"error": {...}}`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        saved: bool = True,
        effects: bool = False,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.effects = effects
        self.headers = headers or {}
        error: Json = {"message": message, "type": type, **more}
        if code is not None:
            error["code"] = code
            error["doc_url"] = "https://docs.stripe.com/error-codes/" + code.replace("_", "-")
        if param is not None:
            error["param"] = param
        self.body: Json = {"error": error}


class Interrupted(Exception):
    """A test method's passing fault: nothing of this request is kept, and the key stays free.

    `status` 503 is answered with `Stripe-Should-Retry: true`; `status` None means that no answer is given at all.
    """

    def __init__(self, status: int | None) -> None:
        super().__init__("passing fault of a sandbox method")
        self.status = status


def unauthorized(message: str) -> ApiError:
    """No key, or not one that belongs here."""
    return ApiError(401, message, saved=False, headers={"WWW-Authenticate": 'Basic realm="Stripe"'})


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """A request that fails validation: nothing has begun, nothing is kept under the key."""
    return ApiError(400, message, code=code, param=param, saved=False)


def missing(what: str, id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """An unknown id. Stripe answers 404 for the object of the path and 400 for one named in a parameter."""
    return ApiError(status, f"No such {what}: '{id}'", code="resource_missing", param=param)


def refused(message: str, *, code: str | None = None, param: str | None = None, **more: Any) -> ApiError:
    """The object's state forbids it."""
    return ApiError(400, message, code=code, param=param, **more)


def rate_limited(*, retry_after_s: float | None = None, reason: str = "global-rate") -> ApiError:
    """Too many requests. The limiter stands before the idempotency layer."""
    headers = {"Stripe-Should-Retry": "false", "Stripe-Rate-Limited-Reason": reason}
    if retry_after_s is not None:
        headers["Retry-After"] = f"{retry_after_s:g}"
    return ApiError(429, "Too many requests in a short time.", code="rate_limit", saved=False, headers=headers)


def locked() -> ApiError:
    """Another request holds the object; nothing was begun."""
    return ApiError(
        429,
        "Another request works on this object; try again in a moment.",
        type="invalid_request_error",
        code="lock_timeout",
        saved=False,
        headers={"Stripe-Should-Retry": "true"},
    )


def key_in_use(key: str) -> ApiError:
    """The first request under this key has not ended yet."""
    return ApiError(
        409,
        f"Another request under the idempotency key '{key}' is still running; try again when it has ended.",
        type="idempotency_error",
        code="idempotency_key_in_use",
        saved=False,
        headers={"Stripe-Should-Retry": "true"},
    )


def key_reused(key: str) -> ApiError:
    """The key was first used for another request."""
    return ApiError(
        400,
        f"The idempotency key '{key}' belongs to a request with other parameters or another path.",
        type="idempotency_error",
        saved=False,
        headers={"Stripe-Should-Retry": "false"},
    )


def server_error(status: int = 500) -> ApiError:
    """500: kept under its key, so repeating it is pointless. 503: nothing was begun, so repeating it is right."""
    begun = status == 500
    return ApiError(
        status,
        "The stand-in failed here because it was told to.",
        type="api_error",
        saved=begun,
        headers={"Stripe-Should-Retry": "false" if begun else "true"},
    )
