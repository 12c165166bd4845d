"""`/documents/<token>` and `/documents/<token>.pdf`: one document for whoever has its link. It names both parties."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from billing.documents.page import style_hash
from billing.flows import documents as flow
from billing.flows.documents import Printed
from billing.flows.parts import Parts
from billing.rules.language import LANGUAGES
from billing.views.gate import Gate
from billing.views.headers import page_headers
from billing.views.sheets import closed
from billing.views.steps import BROKEN, log_fault, seen


def documents_door(parts: Parts) -> Blueprint:
    """The addresses over these parts."""
    door = Blueprint("documents", __name__, template_folder="templates")
    gate = Gate(parts)

    @door.after_request
    def guard(response: Response) -> Response:
        for name, value in page_headers(parts.settings.stripe_js_url).items():
            response.headers.setdefault(name, value)
        return response

    @door.errorhandler(Exception)
    def broken(error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException):
            return error
        log_fault("document_failed", error)
        return closed("unavailable", 500)

    @door.get("/documents/<token>")
    def show(token: str) -> Response:
        return _answered(parts, gate, token, form="html")

    @door.get("/documents/<token>.pdf")
    def download(token: str) -> Response:
        return _answered(parts, gate, token, form="pdf")

    return door


def _answered(parts: Parts, gate: Gate, token: str, *, form: str) -> Response:
    wished = request.args.get("lang")
    try:
        gate.enter(token)
        printed = flow.linked_document(parts, token, form=form, language=wished if wished in LANGUAGES else None)
        return _file(printed)
    except BROKEN as error:
        return closed(*seen(error))


def _file(printed: Printed) -> Response:
    response = Response(printed.content, mimetype=printed.media_type)
    # No script, nothing from elsewhere; the one style sheet stands in the page and is named by its hash.
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src '{style_hash()}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["Content-Disposition"] = f'inline; filename="{printed.name}"'
    return response
