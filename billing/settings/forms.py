"""Forms of settings: addresses, files and numbers, and the sentence that says which one is wanted."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic.fields import FieldInfo

from billing.kernel.errors import Fault

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

YEAR_S = 31_536_000
CENTURY_DAYS = 36_500

_ADDRESS = "give an address such as https://host.example, with no name, password, ? or #"
_BOUNDS = ("ge", "gt", "le")
_NAMED = re.compile(r"([^\s:,]+(?:, [^\s:,]+)*): (.*)", re.DOTALL)


def listed(text: str) -> list[str]:
    """What stands between commas."""
    return [each.strip() for each in text.split(",") if each.strip()]


def networks(name: str, given: str) -> list[Network]:
    """Those that the setting of this name lists."""
    try:
        return [ipaddress.ip_network(each) for each in listed(given)]
    except ValueError:
        raise ValueError(f"{name}: give networks such as 10.1.0.0/16,127.0.0.1/32") from None


def spoken_over_http(address: str) -> bool:
    """Whether it has http or https, a host, and no white space; a port is a number."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", address)


def has_port(server: str) -> bool:
    """Whether the port of a server's address is a number, or there is none. A password may hold any sign."""
    place = re.split("[/?]", server.partition("://")[2].rpartition("@")[2])[0]
    return re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:\d*)?", place) is not None


def _address(given: str) -> str:
    # All settings are listed, so an address holds no password.
    if not spoken_over_http(given) or re.search(r"[?#]", given) or "@" in urlsplit(given).netloc:
        raise ValueError(_ADDRESS)
    return given


def _address_or_none(given: str | None) -> str | None:
    return _address(given) if given else None


def _certificates(given: str | None) -> str | None:
    try:
        held = "BEGIN CERTIFICATE" in Path(given).read_text(encoding="ascii", errors="replace") if given else True
    except OSError:
        held = False
    if not held:
        raise ValueError("give a file of certificates (PEM) that is there and may be read, or unset it")
    return given or None


def _folder(given: str | None) -> str | None:
    try:
        _ = [*Path(given).iterdir()] if given else []
    except OSError:
        raise ValueError("give a folder that is there and may be read, or unset it") from None
    return given or None


def _dsn(given: SecretStr | None) -> SecretStr | None:
    dsn = given.get_secret_value() if given else ""
    if dsn and not (spoken_over_http(dsn) and urlsplit(dsn).username and re.search(r"/\d+/?$", urlsplit(dsn).path)):
        raise ValueError("give the DSN of a Sentry project, such as https://key@sentry.example/1")
    return given


Address = Annotated[str, AfterValidator(_address)]
"""Of a server that is spoken to over HTTP, or of pages: a base that paths are put behind."""
AddressOrNone = Annotated[str | None, AfterValidator(_address_or_none)]
CertificatesFile = Annotated[str | None, AfterValidator(_certificates)]
Folder = Annotated[str | None, AfterValidator(_folder)]
SentryDsn = Annotated[SecretStr | None, AfterValidator(_dsn)]


def fault_of(error: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> Fault:
    """The fault that the library tells of: the setting's name, and what to give instead.

    What is wrong beside other settings names its own at the beginning of the message.
    """
    field = f"{error['loc'][0]}".upper() if error["loc"] else ""
    mend = _mend(error, fields.get(field.lower()))
    if not field and (named := _NAMED.fullmatch(mend)):
        field, mend = named.groups()
    return Fault(field or "environment", "invalid_setting", mend)


def _mend(error: Mapping[str, Any], field: FieldInfo | None) -> str:
    told = str(error["msg"]).removeprefix("Value error, ")
    if field is None or error["type"] == "value_error":
        return told
    if error["type"] == "literal_error":
        told = f"give {error['ctx']['expected']}".replace("'", "")
    elif error["type"].startswith("bool_"):
        told = "give true or false"
    elif field.examples:
        told = f"give {field.examples[0]}"
    elif bounds := {name: getattr(each, name) for each in field.metadata for name in _BOUNDS if hasattr(each, name)}:
        # Both are said, not only the one that was passed.
        kind = "number" if "float" in str(field.annotation) else "whole number"
        least = f"from {bounds['ge']:,} to" if "ge" in bounds else f"above {bounds['gt']:,}, up to"
        told = f"give a {kind} {least} {bounds['le']:,}"
    return told if field.default is not None else f"{told}, or unset it"
