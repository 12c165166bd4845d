"""The texts of the pages, one file a language, and which language a visitor reads."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import request

from billing.rules.language import LANGUAGES

_FOLDER = Path(__file__).parent / "texts"


@dataclass(frozen=True, slots=True)
class Texts:
    """One language's texts. Values in braces are filled in by name."""

    language: str
    words: dict[str, str]
    messages: dict[str, str]

    def say(self, key: str, **values: str) -> str:
        """A label or a sentence of the page."""
        return self.words[key].format(**values)

    def message(self, key: str, **values: str) -> str:
        """What the page tells of; a key without a sentence of its own means that we can't answer now."""
        return self.messages.get(key, self.messages["unavailable"]).format(**values)


@lru_cache
def texts(language: str) -> Texts:
    """The texts of one of `LANGUAGES`."""
    read = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    messages = read.pop("message")
    return Texts(language, read, messages)


def visitors_texts() -> Texts:
    """The texts for the request at hand: by `?lang=`, else the best of what the browser accepts, else the first."""
    wished = request.args.get("lang")
    if wished not in LANGUAGES:
        wished = request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
    return texts(wished)
