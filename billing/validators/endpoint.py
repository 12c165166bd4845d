"""What an endpoint must be: an address that events may be posted to, or a subscriber that the setting names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from billing.validators.checks import Checks

MOST_TARGET = 2000
IN_PROCESS = ("python:", "celery:")


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """`topics`: such as `invoice.paid` or `invoice.*`; none is all of them."""

    code: str
    target: str
    topics: tuple[str, ...] = ()
    contact: str | None = field(default=None, repr=False)
    """The mail address of its owner: personal, kept sealed."""
    document_links: bool = True
    """Events of a document say where it is opened, which shows names and addresses."""


def check_new_endpoint(new: NewEndpoint, *, topics: Collection[str], subscribers: Collection[str], plain: bool) -> None:
    """Raise `Refused` with every fault of `new`.

    `topics` are all there are; `subscribers` those of the setting; `plain`: some network may be reached without TLS.
    """
    checks = Checks()
    checks.code("code", new.code)
    _check_target(checks, new.target, subscribers, plain=plain)
    checks.email("contact", new.contact)
    known = {*topics, *(f"{topic.partition('.')[0]}.*" for topic in topics)}
    for topic in new.topics:
        if topic not in known:
            checks.fault("topics", "unknown_topic", f"{topic[:60]!r} is none of docs/events.md; give one, or noun.*")
    checks.done()


def check_contact(address: str | None) -> None:
    """Raise `Refused` (`not_an_email`)."""
    checks = Checks()
    checks.email("contact", address)
    checks.done()


def _check_target(checks: Checks, target: str, subscribers: Collection[str], *, plain: bool) -> None:
    if target.startswith(IN_PROCESS):
        if target not in subscribers:
            checks.fault("target", "unknown_subscriber", "name it in BILLING_SUBSCRIBERS first, for all processes")
        return
    checks.text("target", target, most=MOST_TARGET)
    try:
        parts = urlsplit(target)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("https", "http") or not host or port == 0 or not target.isascii() or " " in target:
        checks.fault("target", "not_an_address", "give https://host/path in ASCII")
        return
    if parts.username is not None or parts.password is not None or parts.fragment:
        checks.fault("target", "credentials_in_address", "give no user, password or fragment; deliveries are signed")
    if parts.scheme == "http" and not plain:
        mend = "give an https address; plain http goes only to what BILLING_ENDPOINT_NETWORKS names, in every process"
        checks.fault("target", "not_encrypted", mend)
