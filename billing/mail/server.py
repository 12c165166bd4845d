"""The mail server: takes one message, or says by a code whether another try may help.

Its own words never leave this file: servers like to repeat the address they refuse.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError, NonASCIILocalPartDefect
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit
from uuid import UUID

import idna

from billing.kernel.errors import BillingError
from billing.mail.letter import Letter

_WIRE = SMTP.clone(cte_type="7bit")
"""Nothing of eight bits: whether a server, and those behind it, take that is not asked."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TOO_LARGE = 552
"""Said of this message, where the server is told its size beside the sender (RFC 1870)."""
_PORTS = {"smtp": 587, "smtps": 465}


class Undeliverable(BillingError):
    """This message to this address is refused for good. The text is a code."""


class MailLater(BillingError):
    """Not taken now: the same message may be taken later. The text is a code."""


class MailServerAway(MailLater):
    """The line, not the message: it can't be reached, or fell silent. Others would fare no better now."""


class MailRefused(MailLater):
    """The server takes nothing from us until a person mends it: sign-in, sender or encryption. The text is a code."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed over, and whose they are. One connection a message."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    sender: str
    timeout_s: float

    @classmethod
    def of(cls, url: str, *, password: str | None, sender: str, timeout_s: float) -> MailServer:
        """From `smtp://user@host:587` (STARTTLS, which only a server on this machine may lack) or `smtps://…`."""
        parts = urlsplit(url)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            user=unquote(parts.username) if parts.username else None,
            password=password,
            sender=sender,
            timeout_s=timeout_s,
        )

    def send(self, letter: Letter, *, to: str, from_name: str, id_: UUID, at: datetime) -> None:
        """Hand the letter over. The same `id_` gives the same Message-ID: a repeat can be told from news.

        Raises `Undeliverable`, `MailLater`, `MailServerAway`, `MailRefused`; the connection is closed in any case.
        """
        to = _in_ascii(to)
        message = self._message(letter, to=to, from_name=from_name, id_=id_, at=at)
        try:
            with self._connect() as client:
                if not to.isascii():
                    _require_every_letter(client)
                client.send_message(message, from_addr=self.sender, to_addrs=[to])
        except smtplib.SMTPRecipientsRefused as refused:
            code = next((answer[0] for answer in refused.recipients.values()), 0)
            raise (Undeliverable if code >= 500 else MailLater)(f"smtp_{code}") from None
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused) as refused:
            if refused.smtp_code == _TOO_LARGE:
                raise Undeliverable(f"smtp_{refused.smtp_code}") from None
            temporary = 400 <= refused.smtp_code < 500
            raise (MailLater if temporary else MailRefused)(f"smtp_{refused.smtp_code}") from None
        except smtplib.SMTPNotSupportedError:
            raise MailRefused("smtp_not_supported") from None
        except smtplib.SMTPResponseException as answer:
            data = isinstance(answer, smtplib.SMTPDataError) and answer.smtp_code >= 500
            raise (Undeliverable if data else MailLater)(f"smtp_{answer.smtp_code}") from None
        except ssl.SSLCertVerificationError:
            raise MailRefused("certificate_not_trusted") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailServerAway(type(error).__name__) from None

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        client: smtplib.SMTP
        if self.scheme == "smtps":
            client = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=context)
        else:
            client = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        try:
            if self.scheme == "smtp":
                self._encrypt(client, context)
            if self.user is not None:
                client.login(self.user, self.password or "")
        except BaseException:
            with suppress(smtplib.SMTPException, OSError):
                client.close()
            raise
        return client

    def _encrypt(self, client: smtplib.SMTP, context: ssl.SSLContext) -> None:
        client.ehlo_or_helo_if_needed()
        if client.has_extn("starttls"):
            client.starttls(context=context)
            client.ehlo()
        elif self.host not in LOOPBACK:
            raise smtplib.SMTPNotSupportedError

    def _message(self, letter: Letter, *, to: str, from_name: str, id_: UUID, at: datetime) -> EmailMessage:
        message = EmailMessage(policy=_WIRE)
        try:
            message["From"] = _named(from_name, self.sender)
            message["To"] = to
            message["Subject"] = letter.subject
            message["Date"] = format_datetime(at)
            message["Message-ID"] = f"<{id_}@{self.sender.rpartition('@')[2]}>"
            message["Auto-Submitted"] = "auto-generated"
            message.set_content(letter.text)
            message.add_alternative(letter.html, subtype="html")
            if (file := letter.attachment) is not None:
                kind, _, subtype = file.media_type.partition("/")
                message.add_attachment(file.content, maintype=kind, subtype=subtype, filename=file.name)
            # After the content, which clears headers of its kind.
            message["Content-Language"] = letter.language
            # A mailbox may hold letters of any script (RFC 6531): whether the server takes them, it says itself.
            defects = [each for each in message["To"].defects if not isinstance(each, NonASCIILocalPartDefect)]
            faulty = bool(defects) or len(message["To"].addresses) != 1
        except (MessageError, ValueError, IndexError):
            faulty = True
        if faulty:
            raise Undeliverable("bad_address") from None
        return message


def _in_ascii(address: str) -> str:
    """With the domain as the DNS writes it: few servers take another. Raises `Undeliverable` where it has none such."""
    mailbox, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{mailbox}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise Undeliverable("bad_address") from None


def _require_every_letter(client: smtplib.SMTP) -> None:
    client.ehlo_or_helo_if_needed()
    if not client.has_extn("smtputf8"):
        raise Undeliverable("smtputf8_missing")


def _named(name: str, address: str) -> str:
    safe = "".join(each for each in name if each.isprintable() and each not in '"\\')
    return f'"{safe}" <{address}>'
