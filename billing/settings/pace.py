"""How fast things go: time-outs, leases and pauses, which follow from whether this is the sandbox."""

from __future__ import annotations

from pydantic_settings import BaseSettings


class Paced(BaseSettings):
    """Seconds of wall time."""

    billing_sandbox: bool = False
    """Business time is a row, leases and ticks are short. Refused with a live key."""

    @property
    def permit_wait_s(self) -> float:
        """A call waits no longer for its turn: the lease that it runs under was made for the call."""
        return 1.0 if self.billing_sandbox else 5.0

    @property
    def stream_s(self) -> float:
        """A worker that charges goes on to the next slice for so long, then other work has its turn."""
        return self.tick_s

    @property
    def breaker_s(self) -> tuple[float, float]:
        """A provider that is away is left alone for so long, at first and at most."""
        return (0.5, 2.0) if self.billing_sandbox else (10.0, 120.0)

    @property
    def calls_in_threads(self) -> bool:
        """Whether many answers of a provider are waited for at once: not where it answers within this process."""
        return True

    @property
    def tick_s(self) -> float:
        """Beat's period."""
        return 1.0 if self.billing_sandbox else 60.0

    @property
    def connect_timeout_s(self) -> float:
        return 1.0 if self.billing_sandbox else 5.0

    @property
    def read_timeout_s(self) -> float:
        return 1.0 if self.billing_sandbox else 25.0

    @property
    def lease_s(self) -> float:
        """Three times the sum of a call's time-outs (DECISIONS 4), at least 3 s in the sandbox."""
        return 3.0 if self.billing_sandbox else 90.0

    @property
    def back_off_s(self) -> tuple[float, ...]:
        """Technical back-off of unknown outcomes, events and an unavailable provider; the last value repeats."""
        return (0.3, 0.5, 1.0, 2.0) if self.billing_sandbox else (10.0, 30.0, 120.0, 600.0, 3600.0)

    @property
    def mail_back_off_s(self) -> tuple[float, ...]:
        """Between tries of a mail that was not taken; after the last of them it is a person's work."""
        if self.billing_sandbox:
            return (0.3, 0.5, 1.0)
        return (60.0, 300.0, 1800.0, 7200.0, 21600.0, 43200.0, 86400.0)

    @property
    def delivery_back_off_s(self) -> tuple[float, ...]:
        """Between tries of an event that an endpoint did not take; the last value repeats until three days are over."""
        if self.billing_sandbox:
            return (0.3, 0.5, 1.0, 2.0)
        return (5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0)

    @property
    def endpoint_pause_s(self) -> tuple[float, ...]:
        """While every delivery to an endpoint fails, so long until the next one is tried; the last value repeats."""
        return (0.2, 0.5) if self.billing_sandbox else (5.0, 30.0, 60.0, 300.0)

    @property
    def post_timeouts_s(self) -> tuple[float, float]:
        """To connect to an endpoint, and to wait for its answer."""
        return (1.0, 1.0) if self.billing_sandbox else (5.0, 15.0)
