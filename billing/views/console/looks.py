"""Looks at what is personal: by role, with a reason, and written down before anything is shown."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from billing.documents.page import style_hash
from billing.flows import documents, looking
from billing.flows.looking import find_by_email, open_body, open_parties, open_profile
from billing.flows.parts import Parts
from billing.rules.permission import Permission
from billing.views.console.rendering import page
from billing.views.console.things import shown
from billing.views.console.visiting import visit

_LONGEST = 320


def add_looks(door: Blueprint, parts: Parts) -> None:
    """`/console/<list>/<id>/look`: the same page, with what is sealed opened; and documents as customers have them."""

    @door.post("/customers/<uuid:id_>/look")
    def look_customer(id_: UUID) -> Response:
        opened = open_profile(parts, id_, order=visit().order(Permission.PERSONAL))
        return shown(parts, "customers", id_, opened={"customer": opened})

    @door.post("/invoices/<uuid:id_>/look")
    def look_invoice(id_: UUID) -> Response:
        opened = open_parties(parts, id_, order=visit().order(Permission.PERSONAL))
        return shown(parts, "invoices", id_, opened=opened)

    @door.post("/invoices/<uuid:id_>/document")
    def open_document(id_: UUID) -> Response:
        looking.note_print(parts, id_, order=visit().order(Permission.PERSONAL))
        printer = documents.document_pdf if request.form.get("form") == "pdf" else documents.document_html
        printed = printer(parts, id_)
        response = Response(printed.content, mimetype=printed.media_type)
        response.headers["Content-Disposition"] = f'inline; filename="{printed.name}"'
        # No script, nothing from elsewhere; its one style sheet stands in the page and is named by its hash.
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src '{style_hash()}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        return response

    @door.post("/events/<uuid:id_>/look")
    def look_event(id_: UUID) -> Response:
        body = open_body(parts, id_, order=visit().order(Permission.PERSONAL))
        return shown(parts, "events", id_, opened={"body": {"as it arrived": body.decode(errors="replace")}})

    @door.post("/customers/find")
    def find() -> AnyResponse:
        order = visit().order(Permission.PERSONAL)
        found = find_by_email(parts, request.form.get("email", "")[:_LONGEST], order=order)
        if len(found) == 1:
            return redirect(f"/console/customers/{found[0]}", 303)
        rows = [{"place": "customers", "id": id_, "name": id_} for id_ in found]
        return page("search.html", title="Search", wanted="", found=rows, looked=True)
