"""What a seller must be: a legal entity whose documents can be issued and numbered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta

from billing.kernel.kinds import CHOOSABLE, MethodKind
from billing.kernel.numbering import LONGEST, YEAR, is_pattern, pattern_of
from billing.kernel.period import MOST_PERIODS_BEHIND
from billing.validators.address import Address, check_address
from billing.validators.checks import Checks
from billing.validators.creditor_id import is_creditor_id

CATCH_UP = ("bill_each", "merge", "skip")
DUNNING_FINAL = ("cancel", "unpaid", "keep")
CARD_LIMIT = ("postpone", "final", "off")
PRORATION = ("second", "day")
REVENUE_RECOGNITION = ("day", "month")
E_INVOICES = ("off", "small", "large")
MAIL_DOCUMENTS = ("off", "documents", "all")
OSS = ("none", "union", "non_union")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{0,19}", re.ASCII)
_LONGEST_DELAY = timedelta(days=365)
_MOST_RETRIES = 12
_DEFAULT_RETRIES = (timedelta(days=3), timedelta(days=5), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class SellerPolicy:
    """How missed periods are caught up, and how declined invoices are tried again (each delay from the try before)."""

    catch_up: str = "bill_each"
    catch_up_limit: int = 12
    dunning_retries: tuple[timedelta, ...] = _DEFAULT_RETRIES
    dunning_final: str = "cancel"
    dunning_hours: tuple[int, int] | None = (8, 20)
    """Local hours of the customer, [first, end), in which scheduled retries are made; None: at the exact delay."""
    card_limit: str = "postpone"
    """postpone | final | off: what becomes of a retry that a card network's limit forbids."""
    proration: str = "second"
    """second | day: what a share of a period counts."""
    oss: str = "none"
    """none | union | non_union: how tax on sales to consumers in other member states is declared."""
    upcoming_days: int = 7
    """So many days before a renewal the customer is told of it; 0: never."""
    draft_review_h: int = 0
    """Hours for which an invoice is held as a draft before it is issued; 0: issued at once."""
    revenue_recognition: str = "month"
    """day | month: how often what is earned moves from deferred revenue to revenue."""
    guard_volume: int | None = None
    """Hold a day that issues more than so many times the same weekday's usual count or amount; None: never."""
    guard_amount: int | None = None
    """Hold a document above so many times the customer's last; None: never."""
    guard_catch_up: int | None = None
    """Hold the documents of a subscription that catches up with more than so many periods; None: never."""
    complete_documents: bool = True
    """Whether an invoice that lacks what the law asks for waits as a draft, with a work item."""
    e_invoices: str = "small"
    """off | small | large: whether one that the law wants structured waits for a transport, by whose days."""
    mail_documents: str = "all"
    """off | documents | all: which documents leave as mails where there is a mail server; `all`: receipts, too."""
    dispute_stops_charging: bool = True
    """Whether a customer is charged no more while a dispute of theirs is open."""
    fall_back: bool = False
    """Whether another valid method of the customer is tried at once after a definite decline of the default."""
    method_kinds: tuple[str, ...] = (MethodKind.CARD,)
    """Which kinds of methods customers may set up at a provider that has several."""
    debit_notice_days: int = 14
    """So many days before a debit the holder of the account is told; fewer than 14 must be agreed with the mandate."""
    creditor_id: str | None = None
    """By which the holder's bank names who debits; needed where debits are offered."""


@dataclass(frozen=True, slots=True)
class NewSeller:
    """A seller to be created. `next_number` is the place of its first invoice, for a business that moves in."""

    code: str
    legal_name: str
    country: str
    currency: str
    timezone: str = "UTC"
    address: Address = field(default_factory=Address)
    tax_id: str | None = None
    policy: SellerPolicy = field(default_factory=SellerPolicy)
    next_number: int = 1
    payment_instructions: str | None = None
    """How invoices are paid that wait for the customer's own payment, such as a bank account; lines apart."""
    document_footer: str | None = None
    """What the law of its country asks of documents besides, such as register and directors; lines apart."""
    number_prefix: str | None = None
    """Before the numbers of invoices, such as `RE-{year}-`, whose numbers begin at 1 each year; None: the code."""
    credit_note_prefix: str | None = None
    """The same of credit notes; None: the code and CN."""


@dataclass(frozen=True, slots=True)
class SellerChange:
    """The new state of what may change, whole. Code, country and currency stay: another entity is another seller."""

    legal_name: str
    timezone: str
    address: Address
    tax_id: str | None
    policy: SellerPolicy
    payment_instructions: str | None = None
    document_footer: str | None = None
    number_prefix: str | None = None
    credit_note_prefix: str | None = None


def check_new_seller(new: NewSeller) -> None:
    """Raise `Refused` with every fault of `new`."""
    checks = Checks()
    if not _CODE.fullmatch(new.code):
        checks.fault("code", "not_a_seller_code", "use up to 20 of A-Z 0-9 - and begin with a letter or digit")
    checks.country("country", new.country)
    checks.currency("currency", new.currency)
    _check_entity(checks, new)
    _check_policy(checks, new.policy)
    checks.whole("next_number", new.next_number, least=1, most=2_000_000_000)
    invoices, notes = (
        pattern_of(kind, code=new.code, invoices=new.number_prefix, credit_notes=new.credit_note_prefix)
        for kind in ("invoice", "credit_note")
    )
    if invoices == notes:
        checks.fault("credit_note_prefix", "prefix_taken", "invoices have it; choose another")
    checks.done()


def check_seller_change(change: SellerChange) -> None:
    """Raise `Refused` with every fault of `change`."""
    checks = Checks()
    _check_entity(checks, change)
    _check_policy(checks, change.policy)
    checks.done()


def _check_entity(checks: Checks, given: NewSeller | SellerChange) -> None:
    checks.text("legal_name", given.legal_name, most=200)
    checks.timezone("timezone", given.timezone)
    check_address(checks, given.address)
    checks.optional_text("tax_id", given.tax_id, most=40)
    checks.lines("payment_instructions", given.payment_instructions, most=500)
    checks.lines("document_footer", given.document_footer, most=1500)
    for name, prefix in (("number_prefix", given.number_prefix), ("credit_note_prefix", given.credit_note_prefix)):
        if prefix is not None and not is_pattern(prefix):
            mend = (
                f"up to {LONGEST} of A-Z a-z 0-9 . _ - and, once, {YEAR}; not the first, but the last is one of . _ -"
            )
            checks.fault(name, "not_a_prefix", mend)


def _check_policy(checks: Checks, policy: SellerPolicy) -> None:
    checks.one_of("catch_up", policy.catch_up, CATCH_UP)
    _check_methods(checks, policy)
    checks.whole("catch_up_limit", policy.catch_up_limit, least=1, most=MOST_PERIODS_BEHIND)
    if len(policy.dunning_retries) > _MOST_RETRIES:
        checks.fault("dunning_retries", "too_many", f"at most {_MOST_RETRIES} retries")
    if not all(timedelta(hours=1) <= delay <= _LONGEST_DELAY for delay in policy.dunning_retries):
        checks.fault("dunning_retries", "out_of_range", "give delays from 1h to 365d")
    checks.one_of("dunning_final", policy.dunning_final, DUNNING_FINAL)
    if policy.dunning_hours is not None:
        first, end = policy.dunning_hours
        if not 0 <= first < end <= 24:
            checks.fault("dunning_hours", "out_of_range", "give two hours of a day, such as 8-20, or `any`")
    checks.one_of("card_limit", policy.card_limit, CARD_LIMIT)
    checks.one_of("proration", policy.proration, PRORATION)
    checks.one_of("e_invoices", policy.e_invoices, E_INVOICES)
    checks.one_of("mail_documents", policy.mail_documents, MAIL_DOCUMENTS)
    checks.one_of("oss", policy.oss, OSS)
    checks.whole("upcoming_days", policy.upcoming_days, least=0, most=60)
    checks.one_of("revenue_recognition", policy.revenue_recognition, REVENUE_RECOGNITION)
    checks.whole("draft_review_h", policy.draft_review_h, least=0, most=720)
    for name, times in (("guard_volume", policy.guard_volume), ("guard_amount", policy.guard_amount)):
        if times is not None:
            checks.whole(name, times, least=2, most=1000)
    if policy.guard_catch_up is not None:
        # More than the limit are never billed at once, so a guard above it would guard nothing.
        checks.whole("guard_catch_up", policy.guard_catch_up, least=1, most=max(policy.catch_up_limit - 1, 1))


def _check_methods(checks: Checks, policy: SellerPolicy) -> None:
    if not policy.method_kinds:
        checks.fault("method_kinds", "missing", "offer at least one kind, such as card")
    for kind in policy.method_kinds:
        checks.one_of("method_kinds", kind, CHOOSABLE)
    checks.whole("debit_notice_days", policy.debit_notice_days, least=0, most=60)
    if policy.creditor_id is not None and not is_creditor_id(policy.creditor_id):
        mend = "give the creditor identifier without blanks, such as DE98ZZZ09999999999"
        checks.fault("creditor_id", "not_a_creditor_id", mend)
    if policy.creditor_id is None and MethodKind.SEPA_DEBIT in policy.method_kinds:
        checks.fault("creditor_id", "missing", "whose debits are announced must be named: yours, or your provider's")
