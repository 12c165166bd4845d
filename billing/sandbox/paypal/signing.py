"""PayPal's signed headers, by a key and a certificate of the stand-in's own; the certificate's root is its own too.

They are made when they are first needed, and kept in the store: a restart signs as before.
"""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from billing.sandbox.paypal.events import shown
from billing.sandbox.stripe.deliveries import Letter
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import dump

NAME = "messageverificationcerts.sandbox.paypal.com"
CERT_PATH = "/v1/notifications/certs/CERT-sandbox"
_SETTING = "signing"
_GOOD_FOR = timedelta(days=3650)


def sealed(stand_in: StandIn, letter: Letter) -> tuple[bytes, dict[str, str]]:
    """The body as it goes out, and the headers over it."""
    with stand_in.store.transaction() as tx:
        key_pem = _material(tx)["key"]
        base = tx.setting("origin") or "http://stand-in"
    event = json.loads(letter.body)
    event.pop("pending_webhooks", None)
    body = dump(shown(event)).encode()
    key = serialization.load_pem_private_key(key_pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    id_, at = str(uuid4()), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{id_}|{at}|{letter.secret}|{zlib.crc32(body)}"
    signature = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()
    return body, {
        "Content-Type": "application/json",
        "PAYPAL-TRANSMISSION-ID": id_,
        "PAYPAL-TRANSMISSION-TIME": at,
        "PAYPAL-CERT-URL": base + CERT_PATH,
        "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        "PAYPAL-TRANSMISSION-SIG": signature,
    }


def chain(stand_in: StandIn) -> str:
    """The certificate, as it is fetched: PEM."""
    with stand_in.store.transaction() as tx:
        return str(_material(tx)["leaf"])


def root(stand_in: StandIn) -> str:
    """Whom a verifier of this stand-in has to trust: PEM."""
    with stand_in.store.transaction() as tx:
        return str(_material(tx)["root"])


def _material(tx: Tx) -> dict[str, str]:
    kept = tx.setting(_SETTING)
    if kept is None:
        kept = _made()
        tx.set(_SETTING, kept)
    return dict(kept)


def _made() -> dict[str, str]:
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PayPal stand-in root")])
    authority = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root_cert = (
        _builder(root_name, root_name)
        .public_key(root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(authority, critical=False)
        .sign(root_key, SHA256())
    )
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    leaf = (
        _builder(leaf_name, root_name)
        .public_key(leaf_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False)
        .sign(root_key, SHA256())
    )
    pem = serialization.Encoding.PEM
    private = leaf_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "key": private.decode(),
        "leaf": leaf.public_bytes(pem).decode(),
        "root": root_cert.public_bytes(pem).decode(),
    }


def _builder(subject: x509.Name, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _GOOD_FOR)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
