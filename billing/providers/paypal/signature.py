"""Verifies PayPal's webhook signature offline: RSA over `id|time|webhook id|crc32`, by a certificate that we check.

Source: developer.paypal.com/api/rest/webhooks/rest, "Self verification method". The certificate's address comes with
the delivery, so it proves nothing: only hosts of an allow-list are asked, the chain must end in a trusted root, and the
name must be PayPal's. Fetching is a step of its own (`get_ready`), outside any transaction.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

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
_KEPT_S = timedelta(hours=24)
MOST_KEPT = 8
"""Certificates; beyond that the oldest is forgotten, so that no sender can fill our memory."""
_ALGORITHM = "SHA256withRSA"
_MOST_CHAIN = 6
_ID = re.compile(r"[A-Za-z0-9-]{1,100}")

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
    """What PayPal's headers say."""

    transmission_id: str
    time: str
    cert_url: str
    algorithm: str
    signature: str

    @classmethod
    def read(cls, packed: str) -> Signed:
        """From the headers in the order of the fields, a line each. Raises `Refused` (`bad_signature`)."""
        lines = packed.split("\n")
        if len(packed) > 4096 or len(lines) != 5 or not _ID.fullmatch(lines[0]) or lines[3] != _ALGORITHM:
            raise _bad()
        return cls(*lines)


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

    def get_ready(self, url: str, *, wall_now: datetime) -> None:
        """Fetch and check it, unless it is known. Raises `Refused`: `bad_signature`, `certificate_unavailable`."""
        if not self.is_allowed(url):
            raise _bad()
        known = self._known.get(url)
        if known is not None and known.good_until > wall_now:
            return
        try:
            pem = self.fetch(url)
        except OSError:
            mend = "deliver again later: the certificate can't be fetched now"
            raise Refused(Fault("certificate", "certificate_unavailable", mend)) from None
        key, until = self._checked(pem, wall_now)
        while len(self._known) >= MOST_KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[url] = _Known(key, min(until, wall_now + _KEPT_S))

    def key_of(self, url: str, *, wall_now: datetime) -> RSAPublicKey:
        """The key of one that `get_ready` knows. Raises `Refused` (`certificate_unavailable`)."""
        known = self._known.get(url)
        if known is None or known.good_until <= wall_now:
            raise Refused(Fault("certificate", "certificate_unavailable", "deliver again later"))
        return known.key

    def is_allowed(self, url: str) -> bool:
        """https at one of PayPal's hosts of this mode, at the path of certificates, and nothing else in the address."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        if not parts.path.startswith(_CERT_PATH) or parts.query or parts.fragment or "@" in parts.netloc:
            return False
        if self.own_origin is not None and f"{parts.scheme}://{parts.netloc}" == self.own_origin:
            return True
        return parts.scheme == "https" and port in (None, 443) and parts.hostname in HOSTS[self.livemode]

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

    Raises `Refused`: `no_secret` (no webhook id is set), `bad_signature`, `stale_signature`, `certificate_unavailable`,
    `bad_event` (signed, yet not an event that we can read).
    """
    if not any(webhook_ids):
        raise Refused(Fault("webhook_id", "no_secret", "configure the id of the webhook"))
    signed = Signed.read(signature)
    _check_time(signed.time, wall_now)
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
    try:
        given = base64.b64decode(signed.signature, validate=True)
    except ValueError:
        return None
    for index, webhook_id in enumerate(webhook_ids):
        text = f"{signed.transmission_id}|{signed.time}|{webhook_id}|{zlib.crc32(raw)}"
        try:
            key.verify(given, text.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            continue
        return index
    return None


def _bad() -> Refused:
    return Refused(Fault("signature", "bad_signature", "send it from PayPal, to this webhook"))
