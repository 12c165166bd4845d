"""Detectors of what must never stand in the clear: card data (audit S1) and secrets (audit S2). Text in, places out.

A hit says where and what kind, never the value, so that a report about a leak is not the next leak.
"""

from __future__ import annotations

import re
from base64 import b64decode
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass

_ISSUERS: tuple[tuple[str, tuple[int, ...]], ...] = (
    (r"4", (13, 16, 19)),  # Visa
    (r"5[1-5]", (16,)),  # Mastercard
    (r"2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)", (16,)),  # Mastercard
    (r"3[47]", (15,)),  # American Express
    (r"3(?:0[0-5]|09|6|[89])", (14, 16, 17, 18, 19)),  # Diners Club
    (r"35(?:2[89]|[3-8])", (16, 17, 18, 19)),  # JCB
    (r"6(?:011|4[4-9]|5)", (16, 17, 18, 19)),  # Discover
    (r"(?:62|81)", (16, 17, 18, 19)),  # UnionPay
    (r"(?:5018|5020|5038|5893|6304|6759|676[1-3])", tuple(range(12, 20))),  # Maestro
)
"""Issuer prefixes and the lengths that go with them (DECISIONS 36)."""

_ISSUED = re.compile("|".join(f"(?:{prefix})" for prefix, _ in _ISSUERS))
_BY_PREFIX = tuple((re.compile(prefix), frozenset(lengths)) for prefix, lengths in _ISSUERS)

# In one run, or in the groups in which cards are printed, under one separator. Bounds must not be letters or digits.
# What follows a digit and a point is a number's fraction, such as a run time in a log: one in ten of those passes Luhn.
_DIGITS = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9]\.)(?:"
    r"[0-9]{12,19}"
    r"|[0-9]{4}(?P<s>[ -])[0-9]{4}(?P=s)[0-9]{4}(?P=s)[0-9]{4}(?:(?P=s)[0-9]{1,3})?"
    r"|[0-9]{4}(?P<t>[ -])[0-9]{6}(?P=t)[0-9]{4,5}"
    r")(?![0-9A-Za-z])"
)
_CVC = re.compile(r"""\b(?:cvc|cvv)2?["']?\s*[:=]\s*["']?(?P<secret>[0-9]{3,4})\b""", re.IGNORECASE)
_TRACK = re.compile(r"%B(?P<secret>[0-9]{12,19})\^")

# Words alone are no credential: a plan may be called "Basic subscription".
_BEARER = r"\bbearer\s+(?=[A-Za-z]{0,200}[\d_.~+/=-])(?P<secret>[\w.~+/=-]{8,})"
_BASIC = r"\bbasic\s+(?=[A-Za-z]{0,200}[\d+/=])(?P<secret>[A-Za-z0-9+/]{8,}={0,2})"

# Every repetition that may fail late is bounded, so that a hostile line costs linear time.
# Kind, words of which the lower-cased text must hold one, pattern; the group `secret` is what must not be shown.
_SECRETS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    (
        "api_key",
        ("_live_", "_test_"),
        re.compile(r"(?<![0-9A-Za-z])(?P<secret>[sr]k_(?:org_)?(?:live|test)_[0-9A-Za-z_]{8,})"),
    ),
    ("our_api_key", ("bk_",), re.compile(r"(?<![0-9A-Za-z])(?P<secret>bk_[0-9a-z]{10}_[0-9A-Za-z_-]{43})")),
    ("webhook_secret", ("whsec_",), re.compile(r"(?P<secret>whsec_[0-9A-Za-z+/_=-]{8,})")),
    (
        "client_secret",
        ("_secret_",),
        re.compile(r"(?<![0-9A-Za-z])(?P<secret>(?:pi|seti)_[0-9A-Za-z]{1,64}_secret_\w{8,})"),
    ),
    # As `link.sign` makes them: 62 letters that begin with a version and a kind, behind a slash that may be escaped.
    (
        "customer_link",
        ("aq",),
        re.compile(r"(?:(?<![\w-])|(?<=%2[Ff]))(?P<secret>AQ[E-P][0-9A-Za-z_-]{59})(?![\w-])", re.ASCII),
    ),
    ("bearer", ("bearer",), re.compile(_BEARER, re.IGNORECASE)),
    ("basic", ("basic",), re.compile(_BASIC, re.IGNORECASE)),
    (
        "dsn_password",
        ("://",),
        # What others have masked already is no secret.
        re.compile(r"://[^\s:/@]{0,128}:(?!\*+@|\[redacted\]@)(?P<secret>[^\s/]{1,256}|(?![0-9]{1,5}/)[^\s@]{1,256})@"),
    ),
    (
        "password",
        ("password", "passwd", "pwd", "secret", "api_key", "api-key", "apikey", "access_token"),
        re.compile(
            # As libpq, its environment and headers spell them, too.
            r"""\b(?:[a-z]+_)*(?:(?:ssl|pg)?password|passwd|pwd|secret|secret_key|api[_-]?key|access_token)"""
            r"""["']?\s*[:=]\s*["']?(?!\[redacted)(?P<secret>[^\s"',;&)}]{3,})""",
            re.IGNORECASE,
        ),
    ),
    (
        "private_key",
        ("-----begin",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>[\s\S]*?)(?:-----END|\Z)"),
    ),
)


# What stands before a value where a sentence may say it as well: a bare name, a colon and a space; and where none does.
_SAID = re.compile(r"""(?<![\w-])(?:password|passwd|pwd|secret|api-?key)\s{0,3}:\s{1,3}["']?$""", re.IGNORECASE)
_HEADER = re.compile(r"""authorization["']?\s{0,3}[:=]\s{0,3}["']?bearer\s{1,3}$""", re.IGNORECASE)
_BEFORE = 40
_LONGEST_WORDS = 100
# A word and its number (Plan2026), a number and its unit (10GB), or something short (B2B).
_WORD = re.compile(r"[^\W\d_]{1,30}[0-9]{0,4}|[0-9]{1,8}[^\W\d_]{0,4}|[^\W_]{1,4}")
_BETWEEN_WORDS = re.compile(r"[-–—_./+:]")
_ENDS = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True, slots=True)
class Hit:
    """The value stands at text[start:end]."""

    kind: str
    start: int
    end: int


def find_card_numbers(text: str) -> list[Hit]:
    """Card numbers (bounds, issuer prefix with its length, and Luhn), security codes beside their name, track data."""
    hits = [Hit("card_number", *found.span()) for found in _DIGITS.finditer(text) if _is_card(found[0])]
    hits += _groups("card_code", _CVC, text)
    hits += _groups("track_data", _TRACK, text)
    return hits


def find_secrets(text: str) -> list[Hit]:
    """Keys, webhook and client secrets, customers' links, authorisation headers, passwords in addresses and by name."""
    folded = text.lower()
    hits: list[Hit] = []
    for kind, words, pattern in _SECRETS:
        if any(word in folded for word in words):
            found = _groups(kind, pattern, text)
            hits += (each for each in found if kind != "basic" or _is_encoded(text[each.start : each.end]))
    return hits


def find_credentials(text: str) -> list[Hit]:
    """Those of `find_secrets` of which there is no doubt. A log loses nothing by hiding more; an alarm wakes somebody.

    A product may be called "Secret: Garden", or "Bearer Monthly-2026". What is assigned (`password=`, `"password":`),
    or stands in a header, is a credential whatever it looks like.
    """
    return [hit for hit in find_secrets(text) if not _is_said(hit, text)]


def _is_said(hit: Hit, text: str) -> bool:
    """Whether a sentence may say this, of ordinary words."""
    before = text[max(0, hit.start - _BEFORE) : hit.start]
    may_be = {"password": _SAID.search(before) is not None, "bearer": _HEADER.search(before) is None}
    if hit.end - hit.start > _LONGEST_WORDS or not may_be.get(hit.kind, False):
        return False
    words = _BETWEEN_WORDS.split(_ENDS.sub("", text[hit.start : hit.end]))
    return all(word == "" or _WORD.fullmatch(word) for word in words)


def _is_encoded(word: str) -> bool:
    """Whether this is text in base64, as the name and password of a header are. Its end may be cut off.

    A plan may be called "Basic Plan2026": that is none.
    """
    whole = b64decode(word.rstrip("=")[: len(word.rstrip("=")) // 4 * 4])
    try:
        return getincrementaldecoder("utf-8")().decode(whole).isprintable()
    except UnicodeDecodeError:
        return False


def _groups(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Hit]:
    for found in pattern.finditer(text):
        yield Hit(kind, *found.span("secret"))


def _is_card(text: str) -> bool:
    digits = text.replace(" ", "").replace("-", "")
    if not _ISSUED.match(digits):
        return False
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _BY_PREFIX) and _luhn(digits)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
