"""Start: a process refuses a database that is not migrated, a provider key of another mode or account, and master keys
of which none opens what is sealed.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.flows.parts import Parts
from billing.flows.restoring import recognise
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, Refused
from billing.kernel.ids import new_id
from billing.models import ProviderAccount
from billing.providers.port import AccountFacts
from billing.queries.master_key import require_master_key
from billing.queries.same_database import pin_first

_SETTINGS = {"stripe": "STRIPE_API_KEY", "paypal": "PAYPAL_CLIENT_ID"}
"""What names an account at each provider."""


def start(parts: Parts) -> None:
    """Check the database's revision and pin each configured provider account, or compare it with its pin.

    Raises `Refused`: `not_migrated`, `migration_missing`, `migration_unknown`, `wrong_secret_key`, `wrong_mode`,
    `wrong_account`, `account_unreadable`. A provider that can't be reached is no reason to refuse once its account is
    pinned. Rows that were brought back from a backup are recognised here, and paused.
    """
    from billing.db.migrate import require_current  # noqa: PLC0415 (slow to load, and only a process's start needs it)

    with parts.begin() as session:
        require_current(session.connection())
        require_master_key(session, parts.keyring)
    for (provider, code), livemode in parts.settings.provider_accounts.items():
        pin(parts, provider=provider, code=code, livemode=livemode)
    with parts.begin() as session:
        pin_first(session)
    recognise(parts)


def pin(parts: Parts, *, provider: str, code: str, livemode: bool) -> None:
    """Compare the key's mode and account with the pinned ones; the first start pins them."""
    facts = _ask(parts, provider, code)
    with parts.begin() as session:
        pinned = _pinned(session, provider, code)
        if pinned is None:
            if facts is None:
                raise Refused(Fault("account", "account_unreadable", f"let {provider} be reachable at the first start"))
            # Several processes may start for the first time at once: one writes, and all compare.
            session.execute(
                insert(ProviderAccount)
                .values(
                    id=new_id(), provider=provider, code=code, livemode=facts.livemode, account_ref=facts.account_ref
                )
                .on_conflict_do_nothing()
            )
            pinned = _pinned(session, provider, code)
            assert pinned is not None
        _compare(pinned, facts, provider=provider, livemode=livemode)


def require_pinned(parts: Parts, providers: Collection[str]) -> None:
    """As at a start, of the configured accounts at these providers; what no start has pinned yet is left as it is.

    Raises `Refused`: `wrong_mode`, `wrong_account`, `account_unreadable`.
    """
    for (provider, code), livemode in parts.settings.provider_accounts.items():
        if provider not in providers:
            continue
        facts = _ask(parts, provider, code)
        with parts.begin() as session:
            pinned = _pinned(session, provider, code)
            if pinned is not None:
                _compare(pinned, facts, provider=provider, livemode=livemode)


def _compare(pinned: ProviderAccount, facts: AccountFacts | None, *, provider: str, livemode: bool) -> None:
    """With what the provider said of the key's account; None where it can't be reached."""
    if pinned.livemode != livemode:
        mend = "this database is pinned to the other mode; use one of its own"
        raise Refused(Fault(_SETTINGS[provider], "wrong_mode", mend))
    if facts is not None and facts.account_ref != pinned.account_ref:
        mend = "this database is pinned to another account; use its key"
        raise Refused(Fault(_SETTINGS[provider], "wrong_account", mend))


def _ask(parts: Parts, provider: str, code: str) -> AccountFacts | None:
    try:
        return parts.provider_for(provider, code).account()
    except ProviderUnavailable:
        return None
    except ProviderRefused as refused:
        fault = Fault(
            _SETTINGS[provider], "account_unreadable", f"give a key that works: the provider said {refused.code}"
        )
        raise Refused(fault) from refused


def _pinned(session: Session, provider: str, code: str) -> ProviderAccount | None:
    return session.scalars(
        select(ProviderAccount).filter_by(provider=provider, code=code).with_for_update(key_share=True)
    ).one_or_none()
