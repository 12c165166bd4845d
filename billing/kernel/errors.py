"""Failures, typed by what to do about them. One table in `tasks/base.py` maps each to a retry rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reach(StrEnum):
    """What one call says of the line to its provider, whatever it says of the matter itself."""

    ANSWERED = "answered"
    """The provider is there, be its answer a refusal."""
    THROTTLED = "throttled"
    """It asked for fewer calls of the whole account."""
    THROTTLED_ENDPOINT = "throttled_endpoint"
    """It asked for fewer calls of this operation alone."""
    AWAY = "away"
    """No connection, no answer in time, or a 5xx."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: which field, which rule (a stable code), and how to mend it."""

    field: str
    code: str
    mend: str

    def __str__(self) -> str:
        return f"{self.field}: {self.code} ({self.mend})"


class BillingError(Exception):
    """Base of every failure that this engine raises on purpose."""


class Refused(BillingError):
    """A rule forbids it. Never retried. Carries every fault found, not only the first."""

    def __init__(self, faults: Fault | list[Fault]) -> None:
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))

    @property
    def code(self) -> str:
        """The stable code of the first fault; doors show it beside the whole list."""
        return self.faults[0].code


class MasterKeyMissing(Refused):
    """This process lacks a master key that another one has: keys are being rotated. Later, or elsewhere, it is done."""


class Stale(BillingError):
    """Somebody else wrote first (version or fencing token differs). Reload, or drop the late write."""


class Unavailable(BillingError):
    """A server or program that this engine runs on can't be used now. The message is one sentence; try again later."""


class ProviderUnavailable(BillingError):
    """The provider surely did nothing. Try again later, with the same key.

    `retry_after_s` is the provider's own wish in seconds, where it said one.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, reach: Reach = Reach.AWAY) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.reach = reach


class ProviderUnreadable(ProviderUnavailable):
    """It answered, and not as its API does: the next answer may be whole, or none will be until a person looks.

    The message names the field, never a value.
    """


class NoPermit(ProviderUnavailable):
    """Nothing was asked: the provider is left alone for now, or others use its rate up. `retry_after_s`: look then."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s, reach=Reach.ANSWERED)


class ProviderUncertain(BillingError):
    """The provider may or may not have acted. Ask; never guess, never send anew under another key.

    `key_spent`: the provider answered with the failure that it keeps under this key. That sending is over, and the key
    will never say more; what it did is still to be read from the object itself.
    """

    def __init__(self, message: str, *, key_spent: bool = False, reach: Reach = Reach.AWAY) -> None:
        super().__init__(message)
        self.key_spent = key_spent
        self.reach = reach


class ProviderRefused(BillingError):
    """The provider understood and will not do it (bad request, missing object, revoked key).

    `code` is the provider's own error code; `account_wide` marks faults of the whole account (401, 403), which
    consume no attempt and need a person.
    """

    def __init__(self, message: str, *, code: str, account_wide: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.account_wide = account_wide


PROVIDER_ERRORS = (ProviderUnavailable, ProviderUncertain, ProviderRefused)
"""Whatever a provider account may raise: a sweep of several goes on with the next."""
