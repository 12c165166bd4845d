"""Errors as PayPal answers them: a name, details with an issue, a debug id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.sandbox.stripe.values import Json

if TYPE_CHECKING:
    from billing.sandbox.stripe.standin import Call


class PayPalError(Exception):
    """An answer that is not 2xx.

    `kept` says whether it stays under the request's id; `effects` that what was written before it stays written.
    """

    def __init__(
        self,
        status: int,
        name: str,
        message: str,
        *,
        issue: str | None = None,
        kept: bool = False,
        effects: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.kept, self.effects = status, kept, effects
        self.headers: dict[str, str] = {}
        self.body: Json = {"name": name, "message": message}
        if issue is not None:
            self.body["details"] = [{"issue": issue, "description": message}]


def unauthorized(message: str = "Authentication failed due to missing or invalid credentials.") -> PayPalError:
    """No token, or one that is no good (any more)."""
    return PayPalError(401, "AUTHENTICATION_FAILURE", message)


def no_client() -> PayPalError:
    """Client credentials that are none, in the words of OAuth."""
    error = unauthorized()
    error.body = {"error": "invalid_client", "error_description": "Client Authentication failed"}
    return error


def no_grant(grant_type: str) -> PayPalError:
    """A token is asked for by another grant than client credentials, or by none; in the words of OAuth as well."""
    said = "unsupported grant_type" if grant_type else "Grant Type is NULL"
    error = PayPalError(400, "unsupported_grant_type", said)
    error.body = {"error": "unsupported_grant_type", "error_description": said}
    return error


def invalid(issue: str, message: str) -> PayPalError:
    """A request that fails validation: nothing has begun."""
    return PayPalError(400, "INVALID_REQUEST", message, issue=issue)


def require_feature(call: Call) -> None:
    """Whether the application may read the account's lists."""
    if not call.config.paypal_lists:
        raise PayPalError(403, "NOT_AUTHORIZED", "Authorization failed due to insufficient permissions.")


def missing(what: str) -> PayPalError:
    """An unknown id in the path."""
    return PayPalError(404, "RESOURCE_NOT_FOUND", f"There is no such {what}.", issue="INVALID_RESOURCE_ID")


def unprocessable(issue: str) -> PayPalError:
    """Understood, tried perhaps, and not done."""
    message = "The requested action could not be performed."
    return PayPalError(422, "UNPROCESSABLE_ENTITY", message, issue=issue, kept=True, effects=True)


def in_progress() -> PayPalError:
    """Another request under the same id has not ended yet."""
    return PayPalError(
        409,
        "RESOURCE_CONFLICT",
        "A previous request on this resource is currently in progress.",
        issue="PREVIOUS_REQUEST_IN_PROGRESS",
    )


def rate_limited(retry_after_s: float | None) -> PayPalError:
    """Too many requests."""
    error = PayPalError(429, "RATE_LIMIT_REACHED", "Too many requests. Blocked due to rate limiting.")
    if retry_after_s is not None:
        error.headers["Retry-After"] = f"{retry_after_s:g}"
    return error


def server_error(status: int = 500) -> PayPalError:
    """Something broke. It is never kept: PayPal asks for the same request again, under the same id.

    The repeat shows what was done as it is now, or does it (developer.paypal.com/api/rest/reference/idempotency).
    """
    name = "INTERNAL_SERVER_ERROR" if status == 500 else "SERVICE_UNAVAILABLE"
    return PayPalError(status, name, "The stand-in failed here because it was told to.", effects=True)
