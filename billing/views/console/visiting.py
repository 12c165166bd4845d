"""Who asks: found by the session's cookie, or by what a proxy says; and whether what they send is from our own page."""

from __future__ import annotations

import hmac
import ipaddress
import re
from dataclasses import dataclass

from flask import Response, g, request

from billing.flows.entering import enter_by_proxy, entered
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.queries.operator import Entered
from billing.rules.permission import Permission, may
from billing.settings import Settings

BODY_LIMIT = 65_536
"""Bytes."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of an operator."""

    who: Entered
    csrf: str
    """What each form of this session carries."""

    def may(self, permission: str) -> bool:
        """Whether their role grants it."""
        return may(self.who.role, Permission(permission))

    def require(self, permission: Permission) -> None:
        """Raise `Refused` (`not_permitted`)."""
        if not self.may(permission):
            raise Refused(Fault("role", "not_permitted", f"{self.who.role} does not grant it; ask an administrator"))

    def order(self, permission: Permission, *, dry_run: bool = False) -> Order:
        """The order that the form at hand gives. Raises `Refused`: `not_permitted`, `reason_missing`."""
        self.require(permission)
        reason = request.form.get("reason", "").strip()[:1000]
        return Order(actor=self.who.name, reason="a dry run" if dry_run and not reason else reason, dry_run=dry_run)


def visit() -> Visit:
    """That of the request at hand, which `Door` let in."""
    found: Visit = g.console_visit
    return found


class Door:
    """Lets requests in. One a process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings
        self.secure = not parts.settings.billing_sandbox
        self.cookie = "__Host-console" if self.secure else "console"

    def let_in(self) -> bool:
        """Find out who asks; False where nobody known does. Raises `Refused`: `operator_unknown`, `not_from_a_page`."""
        token = request.cookies.get(self.cookie, "")
        active = "poll" not in request.args
        who = entered(self._parts, token, active=active) if token else None
        if self._settings.billing_console == "proxy":
            name = named_by_proxy(self._settings)
            if name is None:
                return False
            if who is None or who.name != name:
                token = g.console_new_token = enter_by_proxy(self._parts, name)
                who = entered(self._parts, token, active=active)
        if who is None:
            return False
        g.console_visit = Visit(who, form_token(token))
        if request.method != "GET":
            require_own_page(form_token(token))
        return True

    def keep(self, response: Response) -> None:
        """Give the browser the session that was opened for it, or take it away."""
        token = g.get("console_new_token")
        if token is None:
            return
        if token:
            response.set_cookie(
                self.cookie, token, path="/", httponly=True, secure=self.secure, samesite="Lax", max_age=None
            )
        else:
            response.delete_cookie(self.cookie, path="/", httponly=True, secure=self.secure, samesite="Lax")


def form_token(token: str) -> str:
    """What forms of a session carry: known to who has its cookie, and telling nothing of it."""
    return hmac.digest(token.encode(), b"billing: console form", "sha256").hex()


def require_own_page(expected: str) -> None:
    """Raise `Refused` (`not_from_a_page`) unless the request carries this token and came from a page of ours."""
    given = request.form.get("csrf", "")
    own = request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
    # Without a cookie nothing is expected, and nothing must not be enough.
    if not own or not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise Refused(Fault("form", "not_from_a_page", "open the page anew and send its form again"))


def named_by_proxy(settings: Settings) -> str | None:
    """Whom the proxy names, where the connection itself comes from one that is trusted."""
    before = request.environ.get("werkzeug.proxy_fix.orig") or {}
    try:
        peer = ipaddress.ip_address(before.get("REMOTE_ADDR") or request.remote_addr or "")
    except ValueError:
        return None
    if not any(peer in network for network in settings.console_proxies):
        return None
    name = request.headers.get(settings.billing_console_header, "").strip().lower()
    return name if _NAME.fullmatch(name) else None
