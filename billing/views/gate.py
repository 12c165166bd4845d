"""The gate before the page's addresses: few requests, then a link of ours, both before the database is asked."""

from __future__ import annotations

from flask import request

from billing.flows.links import require_genuine
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.visitor import network
from billing.views import limiting
from billing.views.limiting import Window


class Gate:
    """One a process: it counts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._addresses, self._links = Window(), Window()

    def enter(self, token: str) -> None:
        """Let the request at hand in. Raises `Refused`: `too_many_tries`, `link_invalid`."""
        if not self._addresses.allows(network(request.remote_addr), most=limiting.MOST_BY_ADDRESS):
            raise _too_many()
        require_genuine(self._parts, token)
        if not self._links.allows(token, most=limiting.MOST):
            raise _too_many()


def _too_many() -> Refused:
    return Refused(Fault("link", "too_many_tries", "wait a minute"))
