"""Card numbers: seen wherever a person may type one, so that none ever enters a row, a log or a message.

Nothing passes here of which the audit says later (S1) that it must not be there; a test holds the two together.
"""

from __future__ import annotations

import re

# 13 to 19 digits, single spaces or dashes between them, no letter or digit on either side; and, wherever digits may
# stand before them, 12 in one run (in groups that is a telephone) and the groups in which cards are printed.
_CANDIDATE = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
_PRINTED = re.compile(
    r"(?<![0-9A-Za-z])(?=("
    r"[0-9]{12,19}"
    r"|[0-9]{4}([ -])[0-9]{4}\2[0-9]{4}\2[0-9]{4}(?:\2[0-9]{1,3})?"
    r"|[0-9]{4}([ -])[0-9]{6}\3[0-9]{4,5}"
    r")(?![0-9A-Za-z]))"
)
# A security code beside its name, and what is read from a card's stripe.
_WITH_A_CARD = re.compile(r"""\b(?:cvc|cvv)2?["']?\s*[:=]\s*["']?[0-9]{3,4}\b|%B[0-9]{12,19}\^""", re.IGNORECASE)

# An id of a machine, whose digits may happen to look like a card's.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

# Issuer prefixes as ranges of the first digits, with the lengths that the networks publish.
_LONG, _DEBIT = frozenset(range(16, 20)), frozenset(range(13, 20))
_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 19})),
    (34, 34, frozenset({15})),
    (37, 37, frozenset({15})),
    (51, 55, frozenset({16})),
    (2221, 2720, frozenset({16})),
    (300, 305, _LONG | {14}),
    (309, 309, _LONG | {14}),
    (36, 36, _LONG | {14}),
    (38, 39, _LONG | {14}),
    (6011, 6011, _LONG),
    (644, 659, _LONG),
    (3528, 3589, _LONG),
    (62, 62, _LONG),
    (81, 81, _LONG),
    (50, 50, _DEBIT),
    (56, 58, _DEBIT),
    (63, 63, _DEBIT),
    (67, 67, _DEBIT),
    *((prefix, prefix, frozenset({12})) for prefix in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)),
)


def holds_card_number(text: str) -> bool:
    """Whether `text` holds a run of digits with an issuer's prefix and length whose Luhn check holds (DECISIONS 36), or
    what belongs to such a card."""
    text = _UUID.sub("id", text)
    found = [match[0] for match in _CANDIDATE.finditer(text)] + [match[1] for match in _PRINTED.finditer(text)]
    return any(_is_card_number(re.sub(r"[ -]", "", each)) for each in found) or bool(_WITH_A_CARD.search(text))


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
