"""What a stack consists of beside its servers: ports, number of workers, webhook endpoint. Kept between runs."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Self

from billing.sandbox.environment import Place

_FILE = "plan.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """Ports are on loopback. `endpoint` and `webhook` are what Stripe's and PayPal's stand-in call the receiver."""

    web_port: int | None = None
    stripe_port: int | None = None
    paypal_port: int | None = None
    workers: int = 2
    endpoint: str | None = None
    endpoint_port: int | None = None
    """The port that the endpoint was last told."""
    webhook: str | None = None
    webhook_port: int | None = None

    @classmethod
    def read(cls, place: Place) -> Self:
        """As it was at the last start."""
        with suppress(FileNotFoundError):
            return cls(**json.loads(place.folder.joinpath(_FILE).read_text()))
        return cls()

    def write(self, place: Place) -> None:
        place.folder.joinpath(_FILE).write_text(json.dumps(asdict(self)))

    def with_workers(self, workers: int | None) -> Self:
        """So many workers from now on; null: as many as before."""
        return self if workers is None else replace(self, workers=workers)

    def port_of(self, stand_in: str) -> int | None:
        """A stand-in's port."""
        return self.paypal_port if stand_in == "paypal" else self.stripe_port

    def with_port(self, stand_in: str, port: int) -> Self:
        """A stand-in listens there from now on."""
        return replace(self, paypal_port=port) if stand_in == "paypal" else replace(self, stripe_port=port)

    @property
    def worker_names(self) -> tuple[str, ...]:
        return tuple(f"worker-{number}" for number in range(1, self.workers + 1))
