"""Intake: sellers, catalog, customers and subscriptions, all or nothing; the same again changes nothing.

Everything is read and checked first. Then the provider is asked for the payment methods, with keys that a repeat uses
again. Then all rows are written in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from billing.commands.key.obtain import intake_key, known_intake_key
from billing.flows.intake_bill import first_bill
from billing.flows.intake_check import Account, Checked, Sorted, check
from billing.flows.intake_input import Intake, IntakeRefused, IntakeReport
from billing.flows.intake_methods import BroughtBy, anonymous_ids, bring
from billing.flows.intake_write import write
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.queries.intake import Known, customer_owners, forgotten, known
from billing.queries.payment_method import the_provider_account
from billing.queue.buffer import after_commit
from billing.queue.names import RENEWALS_TICK

Progress = Callable[[str, int, int], None]
"""(what is done, how many of it so far, how many in all)"""


def take_in(
    parts: Parts, intake: Intake, *, actor: str, reason: str, dry_run: bool, progress: Progress
) -> IntakeReport:
    """Take it in, or say what that would do. Idempotent by the codes of sellers, catalog, accounts and subscriptions.

    A dry run writes nothing and asks the provider nothing. Raises `IntakeRefused` with all faults by line, before
    anything is written; `ProviderUnavailable`, `ProviderUncertain`: nothing was written, run it again.
    """
    progress("checking", 0, 1)
    with parts.begin() as session:
        now = parts.clock.now(session)
        refs = {each.value.customer_ref for each in intake.customers if each.value.customer_ref is not None}
        owners, gone = customer_owners(session, list(refs)), _forgotten(session, parts, intake)
        checked = check(intake, _read_known(session, parts, intake), owners, gone, now=now)
    if intake.faults or checked.faults:
        unread = {(each.line, each.field) for each in intake.faults}
        found = [each for each in checked.faults if (each.line, each.field) not in unread]
        raise IntakeRefused([*intake.faults, *found])
    progress("checking", 1, 1)
    report = _report(checked, dry_run=dry_run, now=now)
    if dry_run or report.changes_nothing:
        return report
    with parts.begin() as session:
        # Committed before the provider hears a name that follows from it.
        key = intake_key(session, parts.keyring)
    brought = _bring(parts, checked, key, progress)
    progress("writing", 0, 1)
    with parts.begin() as session:
        now = parts.clock.now(session)
        write(session, parts, checked, brought=brought, key=key, actor=actor, reason=reason, now=now)
        after_commit(session, RENEWALS_TICK)
    progress("writing", 1, 1)
    return report


def _read_known(session: Session, parts: Parts, intake: Intake) -> dict[str, Known]:
    payers: dict[str, set[str]] = defaultdict(set)
    codes: dict[str, set[str]] = defaultdict(set)
    for customer in intake.customers:
        payers[customer.seller].add(customer.value.profile.account_id)
    for subscription in intake.subscriptions:
        payers[subscription.seller].add(subscription.value.account_id)
        codes[subscription.seller].add(subscription.value.code)
    named = (
        intake.sellers, intake.tax_rates, intake.products, intake.prices, intake.coupons, intake.customers,
        intake.subscriptions,
    )  # fmt: skip
    sellers = {each.seller for given in named for each in given}
    found = {
        code: known(
            session, parts.keyring, seller_code=code, account_ids=list(payers[code]), subscriptions=list(codes[code])
        )
        for code in sellers
    }
    return {code: there for code, there in found.items() if there is not None}


def _forgotten(session: Session, parts: Parts, intake: Intake) -> set[Account]:
    """Those whom an earlier intake brought, and who were erased since."""
    given = {(each.seller, each.value.profile.account_id) for each in intake.customers}
    key = known_intake_key(session, parts.keyring)
    by_id = {
        id_: (seller, account)
        for seller, account in given
        for id_ in anonymous_ids(parts.keyring, key, seller=seller, account_id=account)
    }
    return {by_id[id_] for id_ in forgotten(session, list(by_id))}


def _report(checked: Checked, *, dry_run: bool, now: datetime) -> IntakeReport:
    """Raises `IntakeRefused` where a first bill could not be written."""
    by_noun: dict[str, Sorted[Any]] = {
        "sellers": checked.sellers,
        "tax_rates": checked.tax_rates,
        "products": checked.products,
        "prices": checked.prices,
        "coupons": checked.coupons,
        "customers": checked.customers,
        "subscriptions": checked.subscriptions,
    }
    bills, faults = [], []
    for given, plan in checked.planned:
        try:
            bills.append(first_bill(checked, given.seller, plan, now))
        except Refused as refused:
            faults += [given.fault("items", fault.code, fault.mend) for fault in refused.faults]
    if faults:
        raise IntakeRefused(faults)
    return IntakeReport(
        dry_run=dry_run,
        created={noun: len(found.new) for noun, found in by_noun.items()},
        unchanged={noun: found.unchanged for noun, found in by_noun.items()},
        first_bills=tuple(bills),
    )


def _bring(parts: Parts, checked: Checked, key: bytes, progress: Progress) -> BroughtBy:
    bringing = [each for each in checked.customers.new if each.value.method_ref or each.value.customer_ref]
    if not bringing:
        return {}
    with parts.begin() as session:
        wanted = {each.value.provider for each in bringing}
        accounts = {name: the_provider_account(session, provider=name).id for name in sorted(wanted)}
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        progress("payment methods", done, len(bringing))

    return bring(parts, bringing, key=key, accounts=accounts, progress=step)
