"""Traces: finds personal values in what left the house, also encoded, split, or in another spelling.

Both sides are brought to one form (compatibility letters, case folded, letters and digits only), and what was sent is
decoded as far as it can be (percent, base64, hex, each within the other). A value of five signs or more is looked for
anywhere; shorter ones prove nothing, and are for a list of what is allowed. Digits alone, below eight, count only as a
whole word: amounts and seconds are full of them.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_plus

LEAST = 5
"""Signs of a value, brought to its form, below which it is not looked for."""
_LEAST_DIGITS = 8
_DEPTH = 2
_OURS = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z]{2,8}_(?=[A-Za-z0-9]*[0-9])[A-Za-z0-9]{14,60}\b"
)
"""Our ids and the provider's: long and random, so that a short name would turn up in one of a million of them."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){5,}")
_WORDS = re.compile(r"[^\W_]+")


class Traces:
    """Values to look for. `add` them once; `find` says which kinds of them stand in a text, never the values."""

    def __init__(self) -> None:
        self._by_start: dict[str, dict[str, str]] = defaultdict(dict)
        self._digits: dict[str, str] = {}
        self.count = 0

    def add(self, kind: str, value: str) -> None:
        """A value and each word of it that is long enough: a name split in two is the same name."""
        self.count += 1
        for part in {value, *_WORDS.findall(value)}:
            form = normal(part)
            if form.isdigit() and len(form) < _LEAST_DIGITS:
                if len(form) >= LEAST:
                    self._digits.setdefault(form, kind)
            elif len(form) >= LEAST:
                self._by_start[form[:LEAST]].setdefault(form, kind)

    def find(self, texts: Iterable[str]) -> set[str]:
        """Kinds of the values that stand in one of these, or in all of them put together in their order."""
        sent = [_OURS.sub("\n", text) for text in texts]
        found: set[str] = set()
        for text in (*sent, "".join(sent)):
            for form in decoded(text):
                found |= self._in(normal(form))
                found |= {self._digits[word] for word in _WORDS.findall(form) if word in self._digits}
        return found

    def _in(self, text: str) -> set[str]:
        kinds: set[str] = set()
        for place in range(len(text) - LEAST + 1):
            for form, kind in self._by_start.get(text[place : place + LEAST], {}).items():
                if text.startswith(form, place):
                    kinds.add(kind)
        return kinds


def normal(text: str) -> str:
    """One form for all spellings: compatibility letters without marks, case folded, letters and digits alone."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in apart if sign.isalnum())


def decoded(text: str, depth: int = _DEPTH) -> Iterator[str]:
    """The text, and what it may be an encoding of."""
    yield text
    if not depth:
        return
    inner = {unquote_plus(text)} if "%" in text or "+" in text else set()
    inner |= {plain for token in _BASE64.findall(text) if (plain := _base64(token))}
    inner |= {plain for token in _HEX.findall(text) if (plain := _text(bytes.fromhex(token)))}
    for each in inner - {text}:
        yield from decoded(each, depth - 1)


def _base64(token: str) -> str | None:
    bare = token.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return _text(base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True))
    except (ValueError, binascii.Error):
        return None


def _text(raw: bytes) -> str | None:
    try:
        plain = raw.decode()
    except UnicodeDecodeError:
        return None
    return plain if plain.isprintable() else None
