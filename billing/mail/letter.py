"""Letters: one wording a language, plain text and simple HTML from the same sentences.

The wording stands in `wording/<language>.yaml`, one entry a kind of letter. It may use `name`, `seller`, `number`,
`amount`, `day`, `card`, `mandate` and `creditor`, and no reason of the bank's: there is none to use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale
from jinja2 import Environment, StrictUndefined

from billing.kernel.period import zone_info
from billing.writing.amounts import money
from billing.writing.places import day as written_day
from billing.writing.places import locale_of

_HERE = Path(__file__).parent
_TEXT = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)  # noqa: S701 (plain text)
_HTML = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a letter: it names its customer, as the letter does."""

    name: str
    content: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a letter speaks of. `name` is personal: a letter is made where it is sent, and kept nowhere."""

    name: str
    seller: str
    country: str
    zone: str
    """IANA zone in which `at` becomes a date."""
    amount_minor: int | None = None
    currency: str | None = None
    number: str | None = None
    at: datetime | None = None
    card: str | None = None
    """Brand and last four digits; of a bank account, `IBAN` and the last four letters."""
    mandate: str | None = None
    creditor: str | None = None
    """By which the bank names the mandate and who debits."""
    link: str | None = None
    attachment: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """Ready to be sent."""

    language: str
    subject: str
    text: str
    html: str
    attachment: Attachment | None = None


def write(form: str, content: Content, *, language: str) -> Letter:
    """The letter of that form (an entry of the wording) in one of `rules.language.LANGUAGES`."""
    wording = wordings(language)
    entry = wording[form]
    values = _values(content, locale_of(language, content.country))
    said = [*entry["body"]]
    action = entry.get("action", "")
    if action and content.link is None and content.attachment is None:
        said.append(wording["without_link"])
    subject = _TEXT.from_string(entry["subject"]).render(values)

    def in_layout(environment: Environment, name: str) -> str:
        def spoken(sentence: str) -> str:
            # Sentences are rendered bare, and escaped once, by the layout.
            return _TEXT.from_string(sentence).render(values)

        return environment.from_string(_layout(name)).render(
            language=language,
            subject=subject,
            greeting=spoken(wording["greeting"]),
            paragraphs=[spoken(sentence) for sentence in said],
            link=content.link if action else None,
            action=action,
            signature=wording["signature"],
            seller=content.seller,
            footer=spoken(wording["footer"]),
        )

    return Letter(
        language, subject, in_layout(_TEXT, "layout.txt"), in_layout(_HTML, "layout.html"), content.attachment
    )


@cache
def wordings(language: str) -> dict[str, Any]:
    """All that can be said in a language."""
    read: dict[str, Any] = yaml.safe_load((_HERE / "wording" / f"{language}.yaml").read_text(encoding="utf-8"))
    return read


def _values(content: Content, locale: Locale) -> dict[str, Any]:
    known = content.amount_minor is not None and content.currency is not None
    return {
        "name": content.name,
        "seller": content.seller,
        "number": content.number,
        "amount": money(content.amount_minor or 0, content.currency or "", locale) if known else None,
        "day": written_day(content.at.astimezone(zone_info(content.zone)).date(), locale) if content.at else None,
        "card": content.card,
        "mandate": content.mandate,
        "creditor": content.creditor,
    }


@cache
def _layout(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
