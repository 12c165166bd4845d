"""Scripts: what the letters are called that no font here has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import typst

_WITHOUT_FONT = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
_PICTURES = ("So", "Sk", "Cs")
"""Categories of emoji and other signs that belong to no script."""


def missing_letters(error: typst.TypstError) -> list[str]:
    """The letters without a font that the compiler tells of; none where something else is wrong."""
    return _WITHOUT_FONT.findall(str(error.diagnostic))


def scripts_of(letters: Iterable[str]) -> tuple[str, ...]:
    """The scripts of these letters, each once, by the first word of their Unicode names: `Gujarati`, `emoji`."""
    found = (_script(letter) for text in letters for letter in _ESCAPED.sub(_unescaped, text))
    return tuple(sorted(set(found)))


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _script(letter: str) -> str:
    if unicodedata.category(letter) in _PICTURES:
        return "emoji"
    name = unicodedata.name(letter, "")
    return name.split()[0].capitalize() if name else f"U+{ord(letter):04X}"
