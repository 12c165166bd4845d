"""Search, and the settings in effect."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from billing.flows.parts import Parts
from billing.privacy.shown import in_effect
from billing.queries.operations.searching import search
from billing.queries.operator import list_operators
from billing.rules.permission import Permission
from billing.views.console.rendering import page
from billing.views.console.visiting import visit

_LONGEST = 200


def add_searching(door: Blueprint, parts: Parts) -> None:
    """`/console/search` and `/console/settings`."""

    @door.get("/search")
    def look() -> AnyResponse:
        wanted = request.args.get("q", "").strip()[:_LONGEST]
        with parts.begin() as session:
            found = search(session, wanted) if wanted else []
        if len({(row["place"], row["id"]) for row in found}) == 1:
            return redirect(f"/console/{found[0]['place']}/{found[0]['id']}", 303)
        return page("search.html", title="Search", wanted=wanted, found=found)

    @door.get("/settings")
    def settings() -> Response:
        visit().require(Permission.SETTINGS)
        with parts.begin() as session:
            operators = list_operators(session)
        return page("settings.html", title="Settings", settings=in_effect(parts.settings), operators=operators)
