"""The road to Stripe: what is said in a request, how often, and what happens in threads and after a fork."""

from __future__ import annotations

import dataclasses
import json
import logging
import multiprocessing
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
import stripe
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from billing.kernel.errors import ProviderUnavailable
from billing.providers.port import Outcome
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import API_VERSION
from tests.providers.stripe import scripted as server_says
from tests.providers.stripe.making import INVOICE, KEY, PAYMENT, intent, provider_at, request
from tests.providers.stripe.scripted import says, says_error, says_json, scripted


def test_a_first_charge_says_exactly_this_and_nothing_else() -> None:
    with scripted(says_json(intent())) as server:
        provider_at(server.address).charge(request(), key=KEY, key_age_s=0)
        (heard,) = server.heard
    assert heard.line == "POST /v1/payment_intents HTTP/1.1"
    assert {name: values[0] for name, values in parse_qs(heard.body).items()} == {
        "amount": "1500",
        "currency": "eur",
        "customer": "cus_1",
        "payment_method": "pm_1",
        "allowed_payment_method_types[0]": "card",
        "confirm": "true",
        "off_session": "true",
        "metadata[invoice_id]": str(INVOICE),
        "metadata[payment_id]": str(PAYMENT),
    }
    assert heard.headers["idempotency-key"] == KEY
    assert heard.headers["stripe-version"] == API_VERSION == stripe.api_version


def test_a_later_charge_confirms_the_same_intent_with_its_method_again() -> None:
    with scripted(says_json(intent())) as server:
        provider_at(server.address).charge(request(intent_ref="pi_1"), key=KEY, key_age_s=0)
        (heard,) = server.heard
    assert heard.line == "POST /v1/payment_intents/pi_1/confirm HTTP/1.1"
    assert parse_qs(heard.body) == {"payment_method": ["pm_1"], "off_session": ["true"]}
    assert heard.headers["idempotency-key"] == KEY


def test_a_charge_of_another_kind_says_so_whenever_it_is_sent() -> None:
    with scripted(says_json(intent())) as server:
        for ref in (None, "pi_1"):
            provider_at(server.address).charge(request(intent_ref=ref, kind="sepa_debit"), key=KEY, key_age_s=0)
        made, confirmed = (parse_qs(heard.body) for heard in server.heard)
    named = "allowed_payment_method_types[0]"
    assert (made[named], confirmed[named]) == (["sepa_debit"], ["sepa_debit"])


def test_a_customer_is_known_by_the_anonymous_id_alone() -> None:
    anonymous_id = uuid4()
    with scripted(says_json({"id": "cus_7", "object": "customer"})) as server:
        assert provider_at(server.address).create_customer(anonymous_id=anonymous_id, key="k") == "cus_7"
        (heard,) = server.heard
    assert parse_qs(heard.body) == {"metadata[anonymous_id]": [str(anonymous_id)]}


def test_no_header_tells_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted(says_error(500)) as server:
        provider = provider_at(server.address)
        for _ in range(2):
            provider.charge(request(), key=KEY, key_age_s=0)
        heard = server.heard[1]
    assert heard.headers["user-agent"] == f"Stripe/v1 PythonBindings/{stripe.VERSION}"
    assert heard.headers["authorization"] == "Bearer key_for_tests"
    assert not [name for name in heard.headers if name.startswith("x-stripe") or name == "cookie"]


@pytest.mark.parametrize("answer", [says_error(503, headers={"Stripe_Should_Retry": "true"}), server_says.resets])
def test_a_request_is_sent_once_whatever_the_answer(answer: server_says.Handler) -> None:
    with scripted(answer) as server:
        provider_at(server.address).charge(request(), key=KEY, key_age_s=0)
        assert len(server.heard) == 1


def test_a_redirect_is_never_followed() -> None:
    with scripted(says_json(intent())) as elsewhere:
        away = says("", status=307, Location=f"{elsewhere.address}/v1/payment_intents")
        with scripted(away) as server:
            outcome = provider_at(server.address).charge(request(), key=KEY, key_age_s=0)
        assert (outcome.outcome, elsewhere.heard) == (Outcome.UNKNOWN, [])


def test_a_cookie_is_not_kept() -> None:
    with scripted(says_json(intent(), Set_Cookie="id=1; Path=/")) as server:
        provider = provider_at(server.address)
        for _ in range(2):
            provider.charge(request(), key=KEY, key_age_s=0)
        assert "cookie" not in server.heard[1].headers


def test_a_body_that_trickles_ends_at_the_deadline() -> None:
    def trickles(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        peer.settimeout(0.05)
        while True:
            peer.sendall(b" ")
            try:
                if not peer.recv(1):
                    return
            except TimeoutError:
                continue

    with scripted(trickles) as server:
        started = time.monotonic()
        outcome = provider_at(server.address, read_s=0.3).charge(request(), key=KEY, key_age_s=0)
        assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, "no_answer_in_time")
        assert time.monotonic() - started < 3


def test_bodies_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with scripted(says_json(intent(description="Someone Real"))) as server:
        provider_at(server.address).charge(request(), key=KEY, key_age_s=0)
    assert "Someone" not in caplog.text
    assert "cus_1" not in caplog.text


class _Counting(BaseHTTPRequestHandler):
    """A server with keep-alive that echoes each caller's payment, and counts its connections."""

    protocol_version = "HTTP/1.1"
    connections = 0
    lock = Lock()

    def setup(self) -> None:
        with _Counting.lock:
            _Counting.connections += 1
        super().setup()

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        metadata = {name: sent[f"metadata[{name}]"][0] for name in ("invoice_id", "payment_id")}
        raw = json.dumps(intent(metadata=metadata, id=f"pi_{metadata['payment_id'][-6:]}")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class _ManyAtOnce(ThreadingHTTPServer):
    request_queue_size = 128


@pytest.fixture
def counting_server() -> Iterator[str]:
    _Counting.connections = 0
    with _ManyAtOnce(("127.0.0.1", 0), _Counting) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _charge_many(provider: StripeProvider, count: int) -> bool:
    """Each thread must get the answer to its own question."""

    def one(_: int) -> bool:
        wanted = dataclasses.replace(request(), payment_id=uuid4(), invoice_id=uuid4())
        outcome = provider.charge(wanted, key=str(wanted.payment_id), key_age_s=0)
        return outcome.outcome is Outcome.SUCCEEDED and outcome.intent_ref == f"pi_{str(wanted.payment_id)[-6:]}"

    with ThreadPoolExecutor(32) as pool:
        return all(pool.map(one, range(count)))


def test_thirty_two_threads_share_one_provider_and_its_connections(counting_server: str) -> None:
    provider = provider_at(counting_server, read_s=10)
    assert _charge_many(provider, 200)
    assert _charge_many(provider, 200)
    assert _Counting.connections <= 64


def _in_child(provider: StripeProvider, verdict: multiprocessing.Queue[bool]) -> None:
    verdict.put(_charge_many(provider, 50))


def test_a_provider_used_before_a_fork_works_on_both_sides_of_it(counting_server: str) -> None:
    provider = provider_at(counting_server, read_s=10)
    assert _charge_many(provider, 20)
    fork = multiprocessing.get_context("fork")
    verdicts: multiprocessing.Queue[bool] = fork.Queue()
    children = [fork.Process(target=_in_child, args=(provider, verdicts)) for _ in range(2)]
    for child in children:
        child.start()
    assert _charge_many(provider, 50)
    assert [verdicts.get(timeout=30) for _ in children] == [True, True]
    for child in children:
        child.join(timeout=30)
    assert _charge_many(provider, 20)


def test_a_certificate_that_nobody_vouches_for_stops_it_before_anything_is_sent(tmp_path: Path) -> None:
    address, heard = _self_signed_server(tmp_path)
    outcome = provider_at(address, read_s=5).charge(request(), key=KEY, key_age_s=0)
    assert (outcome.outcome, outcome.reason) == (Outcome.NOT_SENT, "connection_not_made")
    with pytest.raises(ProviderUnavailable):
        provider_at(address, read_s=5).read_intent("pi_1")
    assert heard == []


def _self_signed_server(folder: Path) -> tuple[str, list[bytes]]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "both.pem").write_bytes(pem + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            peer, _ = listener.accept()
            with peer:
                try:
                    with context.wrap_socket(peer, server_side=True) as spoken:
                        heard.append(spoken.recv(10))
                except OSError:
                    continue

    Thread(target=serve, daemon=True).start()
    return f"https://127.0.0.1:{listener.getsockname()[1]}", heard
