"""Verifies PayPal's webhook signature offline: RSA over `id|time|webhook id|crc32`, by a certificate that we check.

Source: developer.paypal.com/api/rest/webhooks/rest, "Self verification method". The certificate's address comes with
the delivery, so it proves nothing: only hosts of an allow-list are asked, the chain must end in a trusted root, and the
name must be PayPal's. Fetching is a step of its own (`get_ready`), outside any transaction. Anybody can deliver, so all
that needs no certificate is checked before, and what senders can make us fetch is bounded.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from billing.kernel.clock import parse_instant
from billing.kernel.errors import Fault, Refused
from billing.providers.events import EventFacts
from billing.providers.paypal.events import event_facts

TOLERANCE = timedelta(days=4)
"""PayPal repeats a delivery for three days under its first stamp; an event is stored once whenever it comes."""
_AHEAD = timedelta(minutes=5)
_CERT_PATH = "/v1/notifications/certs/"
_CERT_NAME = re.compile(r"CERT-[A-Za-z0-9-]{1,100}")
_KEPT_S = timedelta(hours=24)
MOST_KEPT = 8
"""Certificates, and failures; beyond that the oldest is forgotten, so that no sender can fill our memory."""
PAUSE = timedelta(minutes=1)
"""From a fetch that failed to the next, and the time of `MOST_ASKED`. PayPal repeats its deliveries for longer."""
MOST_ASKED = 3
"""Fetches for one network of addresses that have never given a good certificate. PayPal has one or two in use."""
MOST_ASKED_OF_ALL = 20
"""The same for everybody together: each fetch keeps other deliveries waiting for as long as it takes."""
_ALGORITHM = "SHA256withRSA"
_MOST_CHAIN = 6
_ID = re.compile(r"[A-Za-z0-9-]{1,100}")
_SIGNATURE_BYTES = range(128, 513)
"""As long as the key: RSA of 1024 to 4096 bits."""

T = TypeVar("T")

HOSTS = {
    True: ("api.paypal.com", "api-m.paypal.com"),
    False: ("api.sandbox.paypal.com", "api-m.sandbox.paypal.com"),
}
NAMES = {
    True: "messageverificationcerts.paypal.com",
    False: "messageverificationcerts.sandbox.paypal.com",
}
"""Whose name the certificate bears, by live mode."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What PayPal's headers say, and which network they came from, which nobody signs."""

    transmission_id: str
    time: str
    cert_url: str
    algorithm: str
    signature: str
    sender: str
    """As `kernel.visitor` names it; empty where that is not known."""

    @classmethod
    def read(cls, packed: str) -> Signed:
        """From the headers in the order of the fields, a line each. Raises `Refused` (`bad_signature`)."""
        lines = packed.split("\n")
        if len(packed) > 4096 or len(lines) != 6 or not _ID.fullmatch(lines[0]) or lines[3] != _ALGORITHM:
            raise _bad()
        signed = cls(*lines)
        if len(signed.decoded()) not in _SIGNATURE_BYTES:
            raise _bad()
        return signed

    def decoded(self) -> bytes:
        """The signature. Raises `Refused` (`bad_signature`)."""
        try:
            return base64.b64decode(self.signature, validate=True)
        except ValueError:
            raise _bad() from None


@dataclass(frozen=True, slots=True)
class _Known:
    key: RSAPublicKey
    good_until: datetime


@dataclass(slots=True)
class Certificates:
    """Certificates that were fetched and found good, by address. `roots`: PEM of whom we trust."""

    fetch: Callable[[str], bytes]
    roots: bytes
    livemode: bool
    own_origin: str | None = None
    """Of a stand-in: where it is, beside PayPal's own hosts."""
    _known: dict[str, _Known] = field(default_factory=dict)
    _failed: dict[str, datetime] = field(default_factory=dict)
    """When it could not be fetched, or was not good."""
    _asked: deque[tuple[str, datetime]] = field(default_factory=lambda: deque(maxlen=MOST_ASKED_OF_ALL))
    """The last fetches of unknown addresses: for whom, and when."""

    def get_ready(self, url: str, *, sender: str, wall_now: datetime) -> None:
        """Fetch and check it, unless it is known. Raises `Refused`: `bad_signature`, `certificate_unavailable`.

        `sender`: the network that names it. Whoever invents addresses uses up their own turns, not PayPal's.
        """
        if not self.is_allowed(url):
            raise _bad()
        known = self._known.get(url)
        if known is not None and known.good_until > wall_now:
            return
        self._require_turn(url, sender, wall_now)
        try:
            key, until = self._checked(self.fetch(url), wall_now)
        except OSError:
            _remember(self._failed, url, wall_now)
            raise _unavailable() from None
        except Refused:
            _remember(self._failed, url, wall_now)
            raise
        _remember(self._known, url, _Known(key, min(until, wall_now + _KEPT_S)))

    def _require_turn(self, url: str, sender: str, wall_now: datetime) -> None:
        """Refuse to fetch what has just failed, or one unknown address too many. One that was good is always asked."""
        failed_at = self._failed.get(url)
        if failed_at is not None and _recent(failed_at, wall_now):
            raise _unavailable()
        if url in self._known:
            return
        recent = [whose for whose, at in self._asked if _recent(at, wall_now)]
        if len(recent) >= MOST_ASKED_OF_ALL or recent.count(sender) >= MOST_ASKED:
            raise _unavailable()
        self._asked.append((sender, wall_now))

    def key_of(self, url: str, *, wall_now: datetime) -> RSAPublicKey:
        """The key of one that `get_ready` knows. Raises `Refused`: `bad_signature` for an address that is none of
        PayPal's, `certificate_unavailable`."""
        if not self.is_allowed(url):
            raise _bad()
        known = self._known.get(url)
        if known is None or known.good_until <= wall_now:
            raise _unavailable()
        return known.key

    def is_allowed(self, url: str) -> bool:
        """https at one of PayPal's hosts of this mode, and a certificate's name, letter by letter as PayPal writes it.

        So one certificate has one address at a host, and nobody can push good ones out by other spellings of it.
        """
        origin, _, name = url.partition(_CERT_PATH)
        origins = [f"https://{host}" for host in HOSTS[self.livemode]]
        if self.own_origin:
            origins.append(self.own_origin)
        return origin in origins and _CERT_NAME.fullmatch(name) is not None

    def _checked(self, pem: bytes, wall_now: datetime) -> tuple[RSAPublicKey, datetime]:
        """The leaf's key and its end; the chain, the name and the time must hold."""
        try:
            leaf, *others = x509.load_pem_x509_certificates(pem)
            if len(others) > _MOST_CHAIN:
                raise _bad()
            store = Store(x509.load_pem_x509_certificates(self.roots))
            name = x509.DNSName(NAMES[self.livemode])
            PolicyBuilder().store(store).time(wall_now).build_server_verifier(name).verify(leaf, others)
            key = leaf.public_key()
        except (ValueError, VerificationError):
            raise _bad() from None
        if not isinstance(key, RSAPublicKey):
            raise _bad()
        return key, leaf.not_valid_after_utc


def plausible(packed: str, *, webhook_ids: Sequence[str], wall_now: datetime) -> Signed:
    """The headers, after all that can be told of a delivery without its certificate.

    Raises `Refused`: `no_secret` (no webhook id is set), `bad_signature`, `stale_signature`.
    """
    if not any(webhook_ids):
        raise Refused(Fault("webhook_id", "no_secret", "configure the id of the webhook"))
    signed = Signed.read(packed)
    _check_time(signed.time, wall_now)
    return signed


def verify_event(
    *,
    raw: bytes,
    signature: str,
    webhook_ids: Sequence[str],
    certificates: Certificates,
    wall_now: datetime,
    livemode: bool,
) -> EventFacts:
    """Verify a delivery whose certificate is ready, and reduce it to facts.

    Raises `Refused`: those of `plausible`, `bad_signature`, `certificate_unavailable`, `bad_event` (signed, yet not an
    event that we can read).
    """
    signed = plausible(signature, webhook_ids=webhook_ids, wall_now=wall_now)
    key = certificates.key_of(signed.cert_url, wall_now=wall_now)
    index = _matching(key, signed, raw, webhook_ids)
    if index is None:
        raise _bad()
    try:
        return event_facts(json.loads(raw.decode("utf-8")), livemode=livemode, secret_index=index)
    except (ValueError, RecursionError):
        raise Refused(Fault("body", "bad_event", "subscribe the webhook to events that are documented")) from None


def _check_time(stamp: str, wall_now: datetime) -> None:
    try:
        at = parse_instant(stamp)
    except Refused:
        raise _bad() from None
    if not wall_now - TOLERANCE <= at <= wall_now + _AHEAD:
        raise Refused(Fault("signature", "stale_signature", "check this machine's clock"))


def _matching(key: RSAPublicKey, signed: Signed, raw: bytes, webhook_ids: Sequence[str]) -> int | None:
    """The first webhook id under which the signature is good."""
    given = signed.decoded()
    for index, webhook_id in enumerate(webhook_ids):
        text = f"{signed.transmission_id}|{signed.time}|{webhook_id}|{zlib.crc32(raw)}"
        try:
            key.verify(given, text.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        return index
    return None


def _recent(at: datetime, wall_now: datetime) -> bool:
    """Within the pause. A clock that was set back makes nothing wait for it to come there again."""
    return timedelta() <= wall_now - at < PAUSE


def _remember(kept: dict[str, T], url: str, value: T) -> None:
    kept.pop(url, None)
    while len(kept) >= MOST_KEPT:
        kept.pop(next(iter(kept)))
    kept[url] = value


def _unavailable() -> Refused:
    mend = "deliver again later: the certificate can't be fetched now"
    return Refused(Fault("certificate", "certificate_unavailable", mend))


def _bad() -> Refused:
    return Refused(Fault("signature", "bad_signature", "send it from PayPal, to this webhook"))
