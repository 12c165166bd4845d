"""`/pay/<token>`: the customer's page. GET changes nothing: mail scanners may open links."""

from __future__ import annotations

from datetime import date
from typing import Any

from babel import Locale
from babel.dates import format_date
from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from billing.flows import customer_page as flow
from billing.flows.customer_shown import Shown
from billing.flows.parts import Parts
from billing.rules.language import LANGUAGES
from billing.views.gate import Gate
from billing.views.headers import page_headers
from billing.views.localising import Texts, texts, visitors_texts
from billing.views.sheets import ASSETS, KINDS, closed, sheet
from billing.views.steps import BROKEN, add_steps, log_fault, refused, seen
from billing.writing.amounts import money

_LOCALES = {"en": "en_GB"}
"""Where the language alone would write days as few of its readers here do."""
_TONES = {
    "is_paid": "good",
    "just_paid": "good",
    "nothing_owed": "good",
    "carried_forward": "good",
    "payment_in_flight": "wait",
    "debit_in_flight": "wait",
    "earlier_payment_open": "wait",
    "on_hold": "wait",
    "confirm": "wait",
}


def customer_page(parts: Parts) -> Blueprint:
    """The page over these parts."""
    door = Blueprint("pay", __name__, template_folder="templates")
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
        log_fault("page_failed", error)
        for_a_person = request.endpoint in ("pay.page", "pay.returned")
        return closed("unavailable", 500) if for_a_person else refused("unavailable", 500)

    @door.get("/pay-assets/<name>")
    def asset(name: str) -> Response:
        if name not in KINDS:
            return Response(status=404)
        response = Response((ASSETS / name).read_bytes(), mimetype=KINDS[name])
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    _add_places(door)

    @door.get("/pay/<token>")
    def page(token: str) -> Response:
        try:
            gate.enter(token)
            shown = flow.show(parts, token)
        except BROKEN as error:
            return closed(*seen(error))
        return sheet("page.html", 200, **_values(parts, shown, visitors_texts()), base=f"/pay/{token}")

    add_steps(door, parts, gate)
    return door


def _add_places(door: Blueprint) -> None:
    """Addresses that others are told: they say nothing, and the same to everybody."""

    @door.get("/pay-return")
    def returned() -> Response:
        words = visitors_texts()
        return sheet("return.html", 200, words=words, told=words.message("returned"))

    @door.get("/pay-manage")
    def managed() -> Response:
        # Where a wallet sends its owner.
        words = visitors_texts()
        return sheet("closed.html", 200, words=words, told=words.message("manage"))


def _values(parts: Parts, shown: Shown, words: Texts) -> dict[str, Any]:
    return {
        "words": words,
        "shown": shown,
        "told": _told(shown, words),
        "tone": _TONES.get(shown.message or "", "bad"),
        "amounts": _Amounts(shown, words),
        "languages": [texts(language) for language in LANGUAGES],
        "script_url": parts.settings.stripe_js_url,
    }


def _told(shown: Shown, words: Texts) -> str | None:
    if shown.message is None:
        return None
    return words.message(shown.message, number=shown.number or "", seller=shown.seller).replace("  ", " ")


class _Amounts:
    """Amounts and days of the page, written out."""

    def __init__(self, shown: Shown, words: Texts) -> None:
        self._locale = Locale.parse(_LOCALES.get(words.language, words.language))
        self.totals = self._written(shown.totals)
        self.pays, self.by_card, self.by_wallet = (
            # Of so little that nothing is charged it is named what is owed: a press has it come with the next invoice.
            written[0] if len(written := self._written(pays if any(pays.values()) else shown.totals)) == 1 else None
            for pays in (shown.pays, shown.pays_by_card, shown.pays_by_wallet)
        )
        self.later = self._written(
            {name: left for name, owed in shown.totals.items() if (left := owed - shown.pays[name]) > 0}
        )

    def _written(self, amounts: dict[str, int]) -> list[str]:
        return [self.amount(amount, currency) for currency, amount in amounts.items()]

    def amount(self, amount_minor: int, currency: str) -> str:
        return money(amount_minor, currency, self._locale)

    def day(self, day: date) -> str:
        return format_date(day, "long", locale=self._locale)
