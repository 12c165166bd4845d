"""Health: is everything there that billing needs, and does somebody do the work? One line each, with what to mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy.exc import DBAPIError

from billing.db.migrate import head, require_current
from billing.db.session import SELLERS_ROLE, is_walled, wall_astray
from billing.documents.coverage import lacking
from billing.flows.page_domain import FORM, page_domain, registered
from billing.flows.parts import Parts
from billing.flows.paypal_rights import unread
from billing.flows.restoring import UNDER_WAY
from billing.flows.start import pin
from billing.flows.structuring import transport
from billing.kernel.clock import format_instant
from billing.kernel.errors import NoPermit, ProviderRefused, ProviderUnavailable, Refused, Unavailable
from billing.kernel.status import WorkItemStatus
from billing.providers.port import AccountFacts
from billing.queries.brakes import brakes_in_force, told_of
from billing.queries.master_key import unopened
from billing.queries.operations.gauges import unknown_attempts
from billing.queries.operations.health import beats, kinds_offered, master_ids, server_version, stranded_e_invoices
from billing.queries.operations.work import count_open_work
from billing.queries.rate import Line as CallLine
from billing.queries.rate import is_slowed, lines
from billing.queries.same_database import noticed_for
from billing.queue.names import QUEUES, TICKS

STALE_TICKS = 3
"""A tick that did not end within so many periods is late."""
STALE_LEAST_S = 15.0


class State(StrEnum):
    """Of one line: right, to be mended, or merely to be known."""

    OK = "ok"
    MEND = "mend"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at. `told` never holds a secret."""

    name: str
    state: State
    told: str
    waiting: int = 0
    """Things in it that need a person, beside what is to be mended."""


class BrokerView(Protocol):
    """What is asked of the broker; both raise `Unavailable`."""

    def ping(self) -> None: ...

    def consumed_queues(self, *, wait_s: float = ...) -> set[str]: ...


def examine(parts: Parts, broker: Callable[[], BrokerView]) -> Iterator[Line]:
    """Look at everything; what is down hides nothing else. A provider account that was never pinned is pinned here."""
    database = _database(parts)
    yield database
    migrated = database.state is State.OK
    if migrated:
        yield _second_wall(parts)
        yield _master_keys(parts)
    yield from _broker(parts, broker)
    yield from _providers(parts, migrated=migrated)
    yield _mail(parts)
    yield _fonts(parts)
    yield from _transports(parts, migrated=migrated)
    if migrated:
        yield _server(parts)
        yield from _calls(parts)
        yield from _ticks(parts)
        yield from _brakes(parts)
        yield _unknown(parts)
        yield _work(parts)


def _mail(parts: Parts) -> Line:
    if parts.settings.smtp_url is None:
        return Line("mail", State.NOTE, "no SMTP_URL: what customers are told leaves as events alone")
    return Line("mail", State.OK, f"leaves as {parts.settings.smtp_from}")


def _fonts(parts: Parts) -> Line:
    lacks = lacking(parts.settings.billing_fonts_dir)
    if not lacks:
        return Line("fonts", State.OK, "documents show every script that is in wide use")
    told = f"none for {', '.join(lacks)}: documents with such letters are no PDF/A, and wait instead of being mailed"
    return Line("fonts", State.NOTE, f"{told}; see BILLING_FONTS_DIR in docs/documents.md")


def _transports(parts: Parts, *, migrated: bool) -> Iterator[Line]:
    for country, path in parts.settings.e_invoice_transports.items():
        name = f"structured invoices {country}"
        try:
            transport(path)
        except Exception as error:  # noqa: BLE001 (whatever the host's own module raises)
            yield Line(name, State.MEND, f"{path} can't be used here ({type(error).__name__})")
        else:
            yield Line(name, State.OK, f"are handed to {path}")
    if not migrated:
        return
    with parts.begin() as session:
        stranded = stranded_e_invoices(session, list(parts.settings.e_invoice_transports))
    for row in stranded:
        told = f"{row['documents']} wait, and BILLING_E_INVOICE_TRANSPORTS names no transport"
        yield Line(f"structured invoices {row['country']}", State.MEND, told)


def _second_wall(parts: Parts) -> Line:
    with parts.begin() as session:
        walled = is_walled(session)
        astray = wall_astray(session) if walled else []
    if astray:
        told = (
            f"{SELLERS_ROLE} may read too much or too little of {', '.join(astray)}; docs/run.md says what it is given"
        )
        return Line("row-level security", State.MEND, told)
    if walled:
        return Line("row-level security", State.OK, f"the API sees one seller's rows, as {SELLERS_ROLE}")
    told = f"the role {SELLERS_ROLE} is missing, so the API acts without a second wall; docs/run.md says how to make it"
    return Line("row-level security", State.NOTE, told)


def _database(parts: Parts) -> Line:
    try:
        with parts.begin() as session:
            version = server_version(session)
            require_current(session.connection())
    except DBAPIError:
        return Line("database", State.MEND, "can't be reached; start it, or mend DATABASE_URL")
    except Refused as refused:
        return Line("database", State.MEND, _mend(refused))
    return Line("database", State.OK, f"PostgreSQL {version} at revision {head()}")


def _master_keys(parts: Parts) -> Line:
    """Nothing else tells of a wrong one before somebody reads what it seals."""
    with parts.begin() as session:
        missing = master_ids(session).difference(parts.keyring.master_ids) | set(unopened(session, parts.keyring))
    if not missing:
        told = "BILLING_SECRET_KEY has those of the oldest and the newest data keys; `billing db rewrap` counts all"
        return Line("master keys", State.OK, told)
    told = f"data keys are under {', '.join(sorted(missing))}, which BILLING_SECRET_KEY has not, or not rightly"
    return Line("master keys", State.MEND, f"{told}: put it there, see docs/operate/key-rotation.md")


def _broker(parts: Parts, broker: Callable[[], BrokerView]) -> Iterator[Line]:
    try:
        view = broker()
        view.ping()
        yield Line("broker", State.OK, "answers")
        consumed = view.consumed_queues()
    except Refused as refused:
        yield Line("broker", State.MEND, _mend(refused))
        return
    except Unavailable as down:
        yield Line("broker", State.MEND, str(down))
        return
    for queue in QUEUES:
        if queue in consumed:
            yield Line(f"queue {queue}", State.OK, "a worker consumes it")
        else:
            start = "billing up --detach" if parts.settings.billing_sandbox else f"celery -A worker worker -Q {queue}"
            yield Line(f"queue {queue}", State.MEND, f"no worker answers that it consumes it; start one: `{start}`")


def _providers(parts: Parts, *, migrated: bool) -> Iterator[Line]:
    accounts = parts.settings.provider_accounts
    if not accounts:
        mend = "neither STRIPE_API_KEY nor PAYPAL_CLIENT_ID with PAYPAL_CLIENT_SECRET is set: nothing can be charged"
        yield Line("stripe", State.MEND, mend)
    for (provider, code), livemode in accounts.items():
        account, facts = _account(parts, provider, code, livemode=livemode, migrated=migrated)
        yield account
        if facts is not None and provider == FORM and migrated:
            yield from _kinds(parts, code, facts)
            yield from _domain(parts, code)
        if facts is not None and provider == "paypal" and migrated:
            yield from _lists(parts, code)
        name = _WEBHOOKS[provider] if code == "default" else f"{_WEBHOOKS[provider]}__{code.upper()}"
        if parts.settings.webhook_secrets(code, provider=provider):
            yield Line(f"{provider} {code} webhooks", State.OK, f"{name} is set")
        else:
            yield Line(f"{provider} {code} webhooks", State.MEND, f"{name} is not set: every event is refused")


def _lists(parts: Parts, code: str) -> Iterator[Line]:
    refused = dict(unread(parts, code=code))
    for feature, why in refused.items():
        mend = f"{feature} is refused ({why}): switch it on for the REST application, and wait up to nine hours"
        yield Line(f"paypal {code} lists", State.MEND, mend)
    if not refused:
        yield Line(f"paypal {code} lists", State.OK, "transactions and disputes can be read")


_WEBHOOKS = {"stripe": "STRIPE_WEBHOOK_SECRET", "paypal": "PAYPAL_WEBHOOK_ID"}
"""What each provider's deliveries are verified with."""


def _account(
    parts: Parts, provider: str, code: str, *, livemode: bool, migrated: bool
) -> tuple[Line, AccountFacts | None]:
    """The facts only where all is well."""
    name = f"{provider} {code}"
    mode = "live" if livemode else "test"
    try:
        facts = parts.provider_for(provider, code).account()
        if migrated:
            pin(parts, provider=provider, code=code, livemode=livemode)
    except ProviderUnavailable:
        return Line(name, State.MEND, "the provider can't be reached; charges wait and are sent later"), None
    except ProviderRefused as refused:
        return Line(name, State.MEND, f"the provider refuses the key ({refused.code}); set the right one"), None
    except Refused as refused:
        return Line(name, State.MEND, _mend(refused)), None
    told = f"account {facts.account_ref} in {mode} mode" + (", pinned" if migrated else "")
    return Line(name, State.OK, told), facts


def _kinds(parts: Parts, code: str, facts: AccountFacts) -> Iterator[Line]:
    """What sellers offer their customers and this account may not charge. Nothing where it doesn't say what it may."""
    with parts.begin() as session:
        offered = kinds_offered(session)
    for kind in sorted(offered - set(facts.kinds)) if facts.kinds else ():
        told = "a seller offers it (method_kinds), and it is not switched on for this account; see Stripe's dashboard"
        yield Line(f"{FORM} {code} {kind}", State.NOTE, told)


def _domain(parts: Parts, code: str) -> Iterator[Line]:
    """Whether the customer's page may offer wallets. Nobody asks where there is no such page, or none for the world."""
    name = page_domain(parts)
    if name is None or parts.settings.publishable_key(code) is None:
        return
    line = f"{FORM} {code} wallets"
    try:
        facts = registered(parts, code=code)
    except (NoPermit, ProviderUnavailable, ProviderRefused, Refused) as error:
        yield Line(line, State.NOTE, f"whether {name} is registered can't be read ({type(error).__name__})")
        return
    if facts is None or not facts.enabled:
        told = "is not registered" if facts is None else "is switched off in Stripe's dashboard"
        yield Line(line, State.NOTE, f"{name} {told}: no wallet is offered there; see `billing domain register`")
    elif facts.waiting:
        yield Line(line, State.NOTE, f"{name} is not ready for {', '.join(facts.waiting)}; Stripe's dashboard says why")
    else:
        yield Line(line, State.OK, f"{name} may offer {', '.join(facts.ready)}")


def _server(parts: Parts) -> Line:
    name = "database server"
    with parts.begin() as session:
        noticed_s = noticed_for(session)
    if noticed_s is None:
        return Line(name, State.OK, "the one to which the rows are pinned")
    told = f"another one, noticed {noticed_s:.0f} s ago: nothing is planned or sent until the provider has said"
    wait_s = UNDER_WAY * parts.settings.lease_s
    if noticed_s <= wait_s + STALE_LEAST_S:
        more_s = max(wait_s - noticed_s, 0.0)
        return Line(name, State.NOTE, f"{told} what it knows, after a failover for {more_s:.0f} s more")
    return Line(name, State.MEND, f"{told} what it knows; let beat, a worker and the provider be reachable")


def _calls(parts: Parts) -> Iterator[Line]:
    with parts.begin() as session:
        known = [line for line in lines(session) if line.rate_per_s is not None]
    for line in known:
        name = f"{line.provider} {line.code} calls"
        if line.tripped:
            yield Line(name, State.MEND, f"{told_of_line(line)}; charges wait, see docs/operate.md")
        else:
            yield Line(name, State.NOTE if line.wait_s > 0 or is_slowed(line) else State.OK, told_of_line(line))


def told_of_line(line: CallLine) -> str:
    """One line to a provider, in words."""
    if line.tripped:
        return f"the breaker is open: {line.down_streak} calls in a row had no answer; a probe in {line.wait_s:.0f} s"
    if line.wait_s > 0:
        return f"the provider asked for a pause; it ends in {line.wait_s:.0f} s"
    slowed = f", slowed by 429s below its limit of {line.limit_per_s:.0f}" if is_slowed(line) else ""
    return f"{line.measured_per_s:.0f} a second of {line.rate_per_s:.0f}{slowed}; {line.throttled} answered 429 so far"


def _ticks(parts: Parts) -> Iterator[Line]:
    late_s = max(STALE_TICKS * parts.settings.tick_s, STALE_LEAST_S)
    with parts.begin() as session:
        rows = beats(session, [tick.name for tick in TICKS])
    for row in rows:
        name = f"tick {row['tick']}"
        if row["seen_at"] is None:
            yield Line(name, State.MEND, "has never run; start beat and a worker")
        elif row["age_s"] > late_s:
            seen = format_instant(row["seen_at"].replace(microsecond=0))
            yield Line(name, State.MEND, f"last ran at {seen}, {row['age_s']:.0f} s ago; start beat and a worker")
        else:
            yield Line(name, State.OK, f"ran {row['age_s']:.0f} s ago on {row['worker']}")


def _brakes(parts: Parts) -> Iterator[Line]:
    with parts.begin() as session:
        for row in brakes_in_force(session):
            yield Line(f"{row.kind} brake", State.NOTE, told_of(row))


def _unknown(parts: Parts) -> Line:
    name = "attempts of unknown outcome"
    with parts.begin() as session:
        unknown = unknown_attempts(session, now=parts.clock.now(session))
    if not unknown["attempts"]:
        return Line(name, State.OK, "none")
    told = f"{unknown['attempts']}, the oldest sent {_age(unknown['age_s'])} ago"
    return Line(name, State.NOTE, f"{told}; see `billing payment list --status unknown`")


def _age(seconds: float) -> str:
    """Such as `2 h 5 min`."""
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _work(parts: Parts) -> Line:
    with parts.begin() as session:
        counts = count_open_work(session)
    if not counts:
        return Line("work items", State.OK, "none is open")
    told = ", ".join(f"{row['items']} {row['kind']} {row['status']}" for row in counts)
    waiting = sum(row["items"] for row in counts if row["status"] == WorkItemStatus.OPEN)
    return Line("work items", State.NOTE, f"{told}; see `billing work list`", waiting)


def _mend(refused: Refused) -> str:
    return "; ".join(f"{fault.code}: {fault.mend}" for fault in refused.faults)
