"""A delivery counts only by a certificate that is PayPal's, from a host that is PayPal's, over exactly these bytes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.kernel.errors import Refused
from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.client import PayPalClient
from billing.providers.paypal.signature import (
    MOST_ASKED,
    MOST_ASKED_OF_ALL,
    MOST_KEPT,
    PAUSE,
    Certificates,
    Signed,
    verify_event,
)
from billing.providers.road import Answered
from billing.sandbox.paypal.app import create_app
from billing.sandbox.paypal.signing import CERT_PATH, chain, root, sealed
from billing.sandbox.stripe.app import stand_in_of
from billing.sandbox.stripe.deliveries import Letter
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.store import MEMORY, Store

ORIGIN = "http://127.0.0.1:12112"
URL = ORIGIN + CERT_PATH
PAYPAL, STRANGER = "198.51.100.1", "203.0.113.7"
BODY = (
    b'{"id":"WH-1","event_type":"PAYMENT.CAPTURE.COMPLETED","create_time":"2026-01-15T00:00:00Z",'
    b'"resource_type":"capture","resource":{"id":"C1","supplementary_data":{"related_ids":{"order_id":"O1"}}}}'
)


def right_now() -> datetime:
    """Read when a delivery is judged: the tests were collected minutes before, and a signature is good for five."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def stand_in() -> StandIn:
    made = stand_in_of(create_app(Store(MEMORY)))
    with made.store.transaction() as tx:
        tx.set("origin", ORIGIN)
    return made


def certificates(stand_in: StandIn, **given: object) -> Certificates:
    known = {
        "fetch": lambda _: chain(stand_in).encode(),
        "roots": root(stand_in).encode(),
        "livemode": False,
        "own_origin": ORIGIN,
    }
    return Certificates(**known | given)  # type: ignore[arg-type]


def delivered(stand_in: StandIn, webhook_id: str = "HOOK1") -> tuple[bytes, Signed]:
    letter = Letter(seq=1, tries=0, first_due=0, url="", secret=webhook_id, body=BODY)
    raw, headers = sealed(stand_in, letter)
    names = ("TRANSMISSION-ID", "TRANSMISSION-TIME", "CERT-URL", "AUTH-ALGO", "TRANSMISSION-SIG")
    return raw, Signed(*(headers[f"PAYPAL-{name}"] for name in names), sender=PAYPAL)


def packed(signed: Signed) -> str:
    return "\n".join(astuple(signed))


def verified(
    raw: bytes, signed: Signed, known: Certificates, *, now: datetime | None = None, ids: tuple[str, ...]
) -> str:
    signature = packed(signed)
    return verify_event(
        raw=raw, signature=signature, webhook_ids=ids, certificates=known, wall_now=now or right_now(), livemode=False
    ).object_ref


def refusal(act: object, *args: object, **kwargs: object) -> str:
    with pytest.raises(Refused) as refused:
        act(*args, **kwargs)  # type: ignore[operator]
    return refused.value.code


def test_a_good_delivery_names_the_order_to_read_again(stand_in: StandIn) -> None:
    known = certificates(stand_in)
    known.get_ready(URL, sender=PAYPAL, wall_now=right_now())
    raw, signed = delivered(stand_in)
    assert verified(raw, signed, known, ids=("NEWER", "HOOK1")) == "O1"


def test_what_was_changed_on_its_way_is_refused(stand_in: StandIn) -> None:
    known = certificates(stand_in)
    known.get_ready(URL, sender=PAYPAL, wall_now=right_now())
    raw, signed = delivered(stand_in)
    assert refusal(verified, raw + b" ", signed, known, ids=("HOOK1",)) == "bad_signature"
    assert refusal(verified, raw, signed, known, ids=("ANOTHER",)) == "bad_signature"
    assert refusal(verified, raw, replace(signed, transmission_id="x"), known, ids=("HOOK1",)) == "bad_signature"
    assert refusal(verified, raw, replace(signed, algorithm="none"), known, ids=("HOOK1",)) == "bad_signature"
    assert (
        refusal(verified, raw, signed, known, now=right_now() + timedelta(days=5), ids=("HOOK1",)) == "stale_signature"
    )
    assert refusal(verified, raw, signed, known, ids=()) == "no_secret"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://evil.example/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/CERT-1",  # the other mode's
        "https://user@api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com:443/v1/notifications/certs/CERT-1",
        "https://API.sandbox.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/elsewhere",
        "https://api.sandbox.paypal.com/v1/notifications/certs/",
        "https://api.sandbox.paypal.com/v1/notifications/certs/../../oauth2/token",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1/../../../oauth2/token",
        "https://api.sandbox.paypal.com/v1/notifications/certs/%2e%2e/CERT-1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/webhooks",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1#",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1\t",
        "/v1/notifications/certs/CERT-1",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?to=http://evil.example",
        "http://127.0.0.1:12113/v1/notifications/certs/CERT-1",
        "file:///etc/passwd",
        "https://[",
    ],
)
def test_only_paypals_own_hosts_are_asked_for_a_certificate(stand_in: StandIn, url: str) -> None:
    asked: list[str] = []
    known = certificates(stand_in, fetch=lambda each: asked.append(each) or b"")
    assert refusal(known.get_ready, url, sender=PAYPAL, wall_now=right_now()) == "bad_signature"
    assert asked == []
    # And it is told so: nobody waits for a certificate that is never fetched.
    raw, signed = delivered(stand_in)
    assert refusal(verified, raw, replace(signed, cert_url=url), known, ids=("HOOK1",)) == "bad_signature"
    assert known.is_allowed("https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270")
    assert not certificates(stand_in, own_origin="").is_allowed("/v1/notifications/certs/CERT-1")


def test_a_certificate_under_another_root_or_past_its_time_is_refused(stand_in: StandIn) -> None:
    stranger = stand_in_of(create_app(Store(MEMORY)))
    assert refusal(
        certificates(stand_in, roots=root(stranger).encode()).get_ready, URL, sender=PAYPAL, wall_now=right_now()
    ) == ("bad_signature")
    late = right_now() + timedelta(days=4000)
    assert refusal(certificates(stand_in).get_ready, URL, sender=PAYPAL, wall_now=late) == "bad_signature"
    assert (
        refusal(certificates(stand_in, fetch=lambda _: b"no pem").get_ready, URL, sender=PAYPAL, wall_now=right_now())
        == "bad_signature"
    )


def test_a_certificate_that_cannot_be_fetched_is_ours_to_mend_later(stand_in: StandIn) -> None:
    def away(_: str) -> bytes:
        raise ConnectionError

    known = certificates(stand_in, fetch=away)
    assert refusal(known.get_ready, URL, sender=PAYPAL, wall_now=right_now()) == "certificate_unavailable"
    raw, signed = delivered(stand_in)
    assert refusal(verified, raw, signed, known, ids=("HOOK1",)) == "certificate_unavailable"


def provider_of(known: Certificates) -> PayPalProvider:
    """One that may ask for nothing but certificates."""

    def send(*_: object) -> Answered:
        raise AssertionError

    client = PayPalClient(send, base_address=ORIGIN, client_id="id", client_secret="secret")
    return PayPalProvider(client=client, certificates=known, livemode=False)


def encoded(length: int) -> str:
    return base64.b64encode(b"x" * length).decode()


@pytest.mark.parametrize(
    ("change", "ids"),
    [
        ({}, []),
        ({}, [""]),
        ({"time": "2001-01-01T00:00:00Z"}, ["HOOK1"]),
        ({"time": "2999-01-01T00:00:00Z"}, ["HOOK1"]),
        ({"time": "now"}, ["HOOK1"]),
        ({"algorithm": "none"}, ["HOOK1"]),
        ({"signature": ""}, ["HOOK1"]),
        ({"signature": "no base64 " * 32}, ["HOOK1"]),
        ({"signature": encoded(127)}, ["HOOK1"]),
        ({"signature": encoded(513)}, ["HOOK1"]),
    ],
)
def test_nothing_is_fetched_for_what_cannot_be_paypals(
    stand_in: StandIn, change: dict[str, str], ids: list[str]
) -> None:
    asked: list[str] = []
    provider = provider_of(certificates(stand_in, fetch=lambda each: asked.append(each) or chain(stand_in).encode()))
    _, signed = delivered(stand_in)
    provider.get_ready([packed(replace(signed, **change))], secrets=ids, wall_now=right_now())
    assert asked == []
    provider.get_ready([packed(signed)], secrets=["HOOK1"], wall_now=right_now())
    assert asked == [URL]


def cert(number: int) -> str:
    return f"{ORIGIN}/v1/notifications/certs/CERT-{number}"


@pytest.mark.parametrize(("pem", "code"), [(None, "certificate_unavailable"), (b"no pem", "bad_signature")])
def test_what_could_not_be_fetched_is_not_asked_for_again_at_once(
    stand_in: StandIn, pem: bytes | None, code: str
) -> None:
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        if pem is None:
            raise ConnectionError
        return pem

    known, now = certificates(stand_in, fetch=fetch), right_now()
    assert refusal(known.get_ready, URL, sender=PAYPAL, wall_now=now) == code
    assert refusal(known.get_ready, URL, sender=PAYPAL, wall_now=now + PAUSE / 2) == "certificate_unavailable"
    assert asked == [URL]
    assert refusal(known.get_ready, URL, sender=PAYPAL, wall_now=now + PAUSE) == code
    assert asked == [URL, URL]


def asking(stand_in: StandIn) -> tuple[list[str], Callable[[str], bytes]]:
    """All addresses that were asked, and who asks: there is nothing but at PayPal's own."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        if url == URL:
            return chain(stand_in).encode()
        raise ConnectionError

    return asked, fetch


def test_of_unknown_addresses_only_a_few_a_minute_are_asked(stand_in: StandIn) -> None:
    asked, fetch = asking(stand_in)
    known, now = certificates(stand_in, fetch=fetch), right_now() + timedelta(hours=25)
    known.get_ready(URL, sender=PAYPAL, wall_now=right_now())
    for number in range(20):
        assert refusal(known.get_ready, cert(number), sender=STRANGER, wall_now=now) == "certificate_unavailable"
    assert asked == [URL, *(cert(number) for number in range(MOST_ASKED))]
    known.get_ready(URL, sender=STRANGER, wall_now=now)
    assert asked[-1] == URL, "one that was good is asked for however many strangers come"
    for number in range(20):
        refusal(known.get_ready, cert(number), sender=STRANGER, wall_now=now + PAUSE * (number + 1))
    assert len(asked) == 2 + MOST_ASKED + 20
    assert len(known._failed) == MOST_KEPT


def test_each_network_has_its_turns_and_all_together_have_few(stand_in: StandIn) -> None:
    asked, fetch = asking(stand_in)
    known, now = certificates(stand_in, fetch=fetch), right_now()
    for number in range(200):
        code = refusal(known.get_ready, cert(number), sender=STRANGER, wall_now=now)
        assert code == "certificate_unavailable"
    assert len(asked) == MOST_ASKED
    known.get_ready(URL, sender=PAYPAL, wall_now=now)
    assert asked[-1] == URL, "a stranger's inventions take nobody else's turn"

    others = certificates(stand_in, fetch=fetch)
    asked.clear()
    for number in range(200):
        refusal(others.get_ready, cert(number), sender=f"203.0.113.{number}", wall_now=now)
    assert len(asked) == len(others._asked) == MOST_ASKED_OF_ALL
