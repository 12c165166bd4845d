"""The pages of coming in and leaving."""

from __future__ import annotations

import hmac
import secrets

from flask import Blueprint, Response, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from billing.flows.entering import Given, enter, leave
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.kernel.visitor import network
from billing.views.console.rendering import page
from billing.views.console.visiting import Door, require_own_page

HOME = "/console/"
_COOKIE = "console-login"
_MESSAGES = {
    "login_wrong": "Name, password or code is wrong. A code is good once: wait for the next one.",
    "too_many_logins": "Too many tries. Wait a quarter of an hour.",
}
_UNDONE = "Nothing was done: you are signed out. Sign in, and give the order again."


def add_entering(door: Blueprint, parts: Parts, gate: Door) -> None:
    """`/console/enter` and `/console/leave`."""
    by_password = parts.settings.billing_console == "password"
    key = parts.keyring.derive("console login form")

    @door.get("/enter")
    def login() -> Response:
        if not by_password:
            return page("outside.html", 403, title="Not let in")
        return _form(gate, key, _UNDONE if "undone" in request.args else None, 200)

    @door.post("/enter")
    def come_in() -> AnyResponse:
        if not by_password:
            return page("outside.html", 403, title="Not let in")
        require_own_page(_token(key, request.cookies.get(_COOKIE, "")))
        given = Given(_said("name").strip().lower(), _said("password").strip(), _said("code"))
        try:
            token = enter(parts, given, network=network(request.remote_addr))
        except Refused as refused:
            return _form(gate, key, _MESSAGES[refused.code], 429 if refused.code == "too_many_logins" else 403)
        leave(parts, request.cookies.get(gate.cookie, ""))
        g.console_new_token = token
        return redirect(within(_said("next")), 303)

    @door.post("/leave")
    def go() -> AnyResponse:
        leave(parts, request.cookies.get(gate.cookie, ""))
        g.console_new_token = ""
        return redirect("/console/enter" if by_password else HOME, 303)


def within(address: str) -> str:
    """This address if it is one of the console's own pages, else the first one: nobody is led elsewhere."""
    tame = address.startswith(HOME) and address.isprintable() and address.isascii()
    return address if tame and "\\" not in address and "//" not in address.partition("?")[0] else HOME


def _form(gate: Door, key: bytes, problem: str | None, status: int) -> Response:
    """A form of its own token: nobody is made to come in as somebody else from another site."""
    planted = request.cookies.get(_COOKIE) or secrets.token_urlsafe(16)
    wanted = request.values.get("next", "")
    response = page(
        "enter.html", status, title="Sign in", problem=problem, token=_token(key, planted), next=within(wanted),
        name=request.form.get("name", ""),
    )  # fmt: skip
    response.set_cookie(
        _COOKIE, planted, path="/console", httponly=True, samesite="Strict", secure=gate.secure, max_age=3600
    )
    return response


def _token(key: bytes, planted: str) -> str:
    return hmac.digest(key, planted.encode(), "sha256").hex() if planted else ""


def _said(field: str) -> str:
    return request.form.get(field, "")[:500]
