from __future__ import annotations

import ipaddress
import socket
import socketserver
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from billing.delivery.post import Answer, post
from billing.sandbox.earpiece import earpiece

HERE = [ipaddress.ip_network("127.0.0.0/8")]
PATIENCE = {"connect_s": 0.3, "read_s": 0.3}


def sent(url: str) -> Answer:
    return post(url, b'{"object":{"id":"x"}}', {"webhook-id": "1"}, allowed=HERE, **PATIENCE)


@contextmanager
def talking(say: Callable[[Any], None]) -> Iterator[str]:
    """A server that reads a request's first piece and then does as `say` does."""

    class Talk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            try:
                say(self.request)
            except OSError:
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_any_2xx_is_success_and_host_path_and_query_are_as_given() -> None:
    with earpiece() as ear:
        for ear.status in (200, 202, 204):
            assert sent(ear.url) == Answer("delivered")
        assert ear.heard[0].headers["host"] == f"127.0.0.1:{ear.port}"
        assert ear.heard[0].headers["content-type"] == "application/json"


def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    with earpiece() as ear, earpiece() as there:
        ear.status, ear.headers = 307, {"Location": there.url}
        assert sent(ear.url) == Answer("http_307")
        assert there.heard == []


def test_a_wish_for_patience_is_heard_within_bounds() -> None:
    with earpiece() as ear:
        for text, wait_s in (("30", 30), ("999999", 3600), ("soon", 0), ("-5", 0)):
            ear.status, ear.headers = 429, {"Retry-After": text}
            assert sent(ear.url) == Answer("http_429", wait_s)


def test_nobody_there_is_a_code() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert sent(f"http://127.0.0.1:{port}/") == Answer("not_reached")
    assert sent("https://nobody.invalid/") == Answer("name_unknown")


def test_who_never_answers_or_drips_is_left_in_time() -> None:
    def drip(line: Any) -> None:
        for _ in range(100):
            line.sendall(b"HTTP/1.1 2"[:1])
            time.sleep(0.05)

    began = time.monotonic()
    with talking(lambda _: time.sleep(1)) as silent:
        assert sent(silent) == Answer("timed_out")
    with talking(drip) as dripping:
        assert sent(dripping) == Answer("timed_out")
    assert time.monotonic() - began < 4


def test_what_is_no_http_is_a_code() -> None:
    with talking(lambda line: line.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")) as other:
        assert sent(other).outcome == "no_http"


def test_plain_http_goes_only_to_networks_of_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: public)
    assert sent("http://hooks.example/") == Answer("not_encrypted")


def test_the_connection_goes_to_the_address_that_was_checked_whatever_the_name_says_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *given: Any, **more: Any) -> Any:
        if host == "hooks.example":
            asked.append(host)
            return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *given, **more)
        return real(host, *given, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with earpiece() as ear:
        assert sent(f"http://hooks.example:{ear.port}/") == Answer("delivered")
        assert ear.heard[0].headers["host"] == f"hooks.example:{ear.port}"
    assert asked == ["hooks.example"]


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path / "both.pem"))

    class Talk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                context.wrap_socket(self.request, server_side=True).close()

    with socketserver.TCPServer(("127.0.0.1", 0), Talk) as server:
        thread = Thread(target=server.handle_request, daemon=True)
        thread.start()
        assert sent(f"https://127.0.0.1:{server.server_address[1]}/") == Answer("certificate_refused")
        thread.join(5)


def _self_signed(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


def test_a_handshake_that_fails_is_a_code() -> None:
    with talking(lambda line: line.sendall(b"\x15\x03\x03\x00\x02\x02\x28")) as other:
        assert sent(other.replace("http:", "https:")).outcome == "tls_failed"
