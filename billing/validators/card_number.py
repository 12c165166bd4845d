"""Card numbers: seen wherever a person may type one, so that none ever enters a row, a log or a message."""

from __future__ import annotations

import re

# 13 to 19 digits, single spaces or dashes between them, no letter or digit on either side.
_CANDIDATE = re.compile(r"(?<![^\W_])[0-9](?:[ -]?[0-9]){12,18}(?![^\W_])")

# Issuer prefixes as ranges of the first digits, with the lengths that the networks publish.
_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 19})),
    (34, 34, frozenset({15})),
    (37, 37, frozenset({15})),
    (51, 55, frozenset({16})),
    (2221, 2720, frozenset({16})),
    (300, 305, frozenset({14})),
    (36, 36, frozenset({14})),
    (38, 39, frozenset({14})),
    (6011, 6011, frozenset({16, 19})),
    (644, 659, frozenset({16, 19})),
    (3528, 3589, frozenset({16})),
    (62, 62, frozenset({16, 17, 18, 19})),
    (50, 50, frozenset(range(13, 20))),
    (56, 58, frozenset(range(13, 20))),
    (63, 63, frozenset(range(13, 20))),
    (67, 67, frozenset(range(13, 20))),
)


def holds_card_number(text: str) -> bool:
    """Whether `text` holds a run of digits with an issuer's prefix and length whose Luhn check holds (DECISIONS 36)."""
    return any(_is_card_number(re.sub(r"[ -]", "", match[0])) for match in _CANDIDATE.finditer(text))


def _is_card_number(digits: str) -> bool:
    return any(
        low <= int(digits[: len(str(low))]) <= high and len(digits) in lengths for low, high, lengths in _ISSUERS
    ) and _luhn(digits)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
