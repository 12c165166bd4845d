"""The customer's page: what a link shows, and the three things that may be done there: pay, come back, give a card.

Nothing personal is shown: the seller, what is owed, and the card's last digits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from billing.commands.payment_method.make_default import make_default as put_mark
from billing.flows import on_session, payment_methods
from billing.flows.customer_debits import announced_days, arrival_days, offered_mandate, require_same
from billing.flows.customer_shown import Bill, Card, Shown
from billing.flows.customer_wallets import FORM, PAYPAL, offers_cards, wallets_provider
from billing.flows.forwarding import chargeable
from billing.flows.links import opened_link
from billing.flows.on_session import MOST_TRIES, Tried
from billing.flows.parts import Parts
from billing.flows.payment_methods import MethodStarted
from billing.kernel.errors import Fault, Refused
from billing.kernel.kinds import PURSES, MethodKind
from billing.kernel.period import zone_info
from billing.kernel.status import OPEN_PAYMENT, InvoiceStatus, MethodStatus, PaymentKind, PaymentStatus
from billing.models import Invoice, Payment, PaymentMethod, Profile, ProviderAccount, Seller
from billing.privacy.link import LinkKind
from billing.queries.on_session import in_its_place, last_attempts, paid_of_late, payable, why_not_now
from billing.queries.payment_method import default_method, newest_active, the_provider_account
from billing.queries.profile import lock_profile
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK
from billing.rules.debit import TAKES_DAYS, is_debit, meaning
from billing.rules.dunning import DeclineClass
from billing.rules.method_name import brand_name, wallet_name
from billing.validators.payment_method import Consent

_CLOSED = {
    InvoiceStatus.PAID: "is_paid",
    InvoiceStatus.VOID: "is_void",
    InvoiceStatus.UNCOLLECTIBLE: "is_uncollectible",
    InvoiceStatus.EXPIRED: "is_expired",
}
_NOT_CONFIRMED = "payment_intent_authentication_failure"


def show(parts: Parts, token: str) -> Shown:
    """What the link shows now. Reads only. Raises `Refused`: `link_invalid`, `link_expired`, `link_revoked`."""
    with parts.begin() as session:
        profile, upto = _opened(parts, session, token)
        now = parts.clock.now(session)
        seller = session.get_one(Seller, profile.seller_id)
        zone = zone_info(profile.timezone)
        open_ = payable(session, profile.id, upto=upto)
        last = last_attempts(session, [invoice.id for invoice in open_])
        paid = paid_of_late(session, profile.id)
        linked = session.get(Invoice, upto) if upto is not None else None
        if linked is not None and linked.status == InvoiceStatus.PAID and linked not in paid:
            paid = [*paid, linked]
        method = default_method(session, profile.id)
        days, arrivals = announced_days(session, open_, method, zone=zone, now=now), arrival_days(last, zone=zone)
        bills = [
            replace(
                _bill(invoice, last.get(invoice.id), zone=zone, now=now),
                debit_on=days.get(invoice.id),
                arrives_by=arrivals.get(invoice.id),
            )
            for invoice in open_
        ]
        stopped_by = why_not_now(session, open_[0], method) if open_ else None
        message = _message(linked, open_, last, method, paid=bool(paid), stopped_by=stopped_by)
        code = _card_code(session, method)
        asked = [invoice for invoice, bill in zip(open_, bills, strict=True) if bill.state == "open"]
        left: dict[str, int] = defaultdict(int)
        for invoice in asked:
            left[invoice.currency] += invoice.amount_remaining_minor
        stopped = {"payment_in_flight", "payment_method_refused", "debit_in_flight", "account_takes_days"}
        pays = method is not None and not is_debit(method.kind)
        currency = _currency(session, profile, open_)
        script_key = parts.settings.publishable_key(code) if code else None
        wallet = wallets_provider(parts, session, profile, script_key=script_key, currency=currency)
        by_card = _charged(parts, session, asked, _card_account(session, method).id) if code else dict(left)
        return Shown(
            seller=seller.legal_name,
            bills=[*(_paid(invoice) for invoice in paid), *bills],
            newest=asked[-1].id if asked else None,
            totals=dict(left),
            pays=_charged(parts, session, asked, method.provider_account_id) if method is not None else by_card,
            pays_by_card=by_card,
            pays_by_wallet=(
                _charged(parts, session, asked, the_provider_account(session, provider=PAYPAL).id)
                if wallet == PAYPAL
                else by_card
            ),
            card=_card(method),
            can_pay=bool(left) and pays and stopped_by is None and message not in stopped,
            message=message,
            number=linked.number if linked is not None else None,
            currency=currency,
            publishable_key=script_key,
            test_mode=not parts.settings.live,
            wallet=wallet,
            cards=script_key is not None and offers_cards(session, profile),
            mandate=offered_mandate(session, profile, currency=currency) if script_key and not _first(open_) else None,
        )


def _charged(parts: Parts, session: Session, invoices: Sequence[Invoice], account: UUID) -> dict[str, int]:
    """What this provider account charges of them, in minor units by currency."""
    charged: dict[str, int] = defaultdict(int)
    for invoice in invoices:
        charged[invoice.currency] += chargeable(parts, invoice, account=account, session=session)
    return dict(charged)


def pay(parts: Parts, token: str, *, newest: UUID | None = None) -> Tried:
    """Try the oldest of what the link shows, up to the newest that was on the page.

    Raises `Refused`: of the link, and as `on_session.pay` does.
    """
    with parts.begin() as session:
        profile, upto = _opened(parts, session, token)
        profile_id = profile.id
    return on_session.pay(parts, profile_id=profile_id, upto=upto, newest=newest)


def come_back(parts: Parts, token: str, payment_id: UUID) -> Tried:
    """The customer has been with the provider. Raises `Refused`: of the link, `payment_not_found`."""
    with parts.begin() as session:
        profile_id = _opened(parts, session, token)[0].id
    return on_session.look(parts, profile_id=profile_id, payment_id=payment_id)


def begin_card(parts: Parts, token: str, *, text_version: str) -> MethodStarted:
    """The customer has agreed to the consent text of that version, and the provider may take a card.

    Raises `Refused`: of the link, `too_many_tries`, and as `payment_methods.add` does; the provider's errors.
    """
    with parts.begin() as session:
        profile, _ = _opened(parts, session, token)
        profile_id = profile.id
        account = _card_account(session, default_method(session, profile_id))
        consent = Consent(text_version=text_version, given_at=parts.clock.now(session), channel="web")
    return payment_methods.add(
        parts,
        profile_id=profile_id,
        provider_account_id=account.id,
        consent=consent,
        kind=MethodKind.CARD,
        most_of_late=MOST_TRIES,
    )


def begin_account(parts: Parts, token: str, *, text_version: str, days: int) -> MethodStarted:
    """As `begin_card`, of a bank account, under the mandate that says so many days of notice."""
    with parts.begin() as session:
        profile, _ = _opened(parts, session, token)
        profile_id = profile.id
        require_same(session, profile, days=days)
        account = _card_account(session, default_method(session, profile_id))
        consent = Consent(text_version=text_version, given_at=parts.clock.now(session), channel="web")
    return payment_methods.add(
        parts,
        profile_id=profile_id,
        provider_account_id=account.id,
        consent=consent,
        kind=MethodKind.SEPA_DEBIT,
        most_of_late=MOST_TRIES,
    )


def begin_wallet(parts: Parts, token: str, *, text_version: str) -> MethodStarted:
    """As `begin_card`, of a PayPal wallet: the customer goes to PayPal and agrees there, and `finish_card` ends it.

    Through Stripe where the seller offers it so; then its script leads there.
    """
    with parts.begin() as session:
        profile, upto = _opened(parts, session, token)
        profile_id = profile.id
        method, code = default_method(session, profile_id), _card_code(session, default_method(session, profile_id))
        script_key = parts.settings.publishable_key(code) if code else None
        currency = _currency(session, profile, payable(session, profile_id, upto=upto))
        if wallets_provider(parts, session, profile, script_key=script_key, currency=currency) == FORM:
            account_id, kind = _card_account(session, method).id, MethodKind.STRIPE_PAYPAL
        else:
            account_id, kind = the_provider_account(session, provider=PAYPAL).id, MethodKind.PAYPAL
        consent = Consent(text_version=text_version, given_at=parts.clock.now(session), channel="web")
    return payment_methods.add(
        parts,
        profile_id=profile_id,
        provider_account_id=account_id,
        consent=consent,
        kind=kind,
        most_of_late=MOST_TRIES,
    )


def finish_card(parts: Parts, token: str, method_id: UUID) -> None:
    """The provider has the card: from now on it is what charges use, unless one that was begun later is there already.

    A choice of the card tries what is owed, outside the schedule; so a repeat chooses nothing again. Raises `Refused`:
    of the link, `payment_method_not_found`, and as `payment_methods.complete` and `make_default` do.
    """
    with parts.begin() as session:
        profile, _ = _opened(parts, session, token)
        method = session.get(PaymentMethod, method_id)
        if method is None or method.profile_id != profile.id:
            raise Refused(Fault("payment_method", "payment_method_not_found", "begin again"))
    card = payment_methods.complete(parts, method_id=method_id)
    with parts.begin() as session:
        # Which is the newest is looked at behind the lock that another one's end needs too.
        lock_profile(session, card.profile_id)
        newest = newest_active(session, card.profile_id)
        if newest is not None and newest.id > card.id and card.status == MethodStatus.ACTIVE:
            return
        put_mark(session, method_id=method_id, now=parts.clock.now(session))
        after_commit(session, COLLECTIONS_TICK)


def _opened(parts: Parts, session: Session, token: str) -> tuple[Profile, UUID | None]:
    link, profile = opened_link(parts, session, token)
    if link.kind is LinkKind.DOCUMENT:
        raise Refused(Fault("link", "link_invalid", "open the link exactly as it was sent"))
    return profile, in_its_place(session, link.subject) if link.kind is LinkKind.INVOICE else None


def _message(
    linked: Invoice | None,
    open_: Sequence[Invoice],
    last: dict[UUID, Payment],
    method: PaymentMethod | None,
    *,
    paid: bool,
    stopped_by: str | None,
) -> str | None:
    if not open_:
        if linked is not None and linked.status == InvoiceStatus.PAID and _forwarded(linked):
            return "carried_forward"
        if linked is not None:
            return _CLOSED.get(InvoiceStatus(linked.status), "nothing_owed")
        return "just_paid" if paid else "nothing_owed"
    moving = [payment for payment in map(last.get, (each.id for each in open_)) if _is_under_way(payment)]
    if moving:
        waits = all(payment is not None and is_debit(payment.method_kind) for payment in moving)
        return "debit_in_flight" if waits else "payment_in_flight"
    if stopped_by is not None:
        return stopped_by
    if _first(open_) and method is not None and method.kind in TAKES_DAYS:
        return "account_takes_days"
    return _last_word(last.get(open_[0].id), method)


def _first(open_: Sequence[Invoice]) -> bool:
    """Whether a subscription waits for its first payment: an account's money would come too late."""
    return any(invoice.status == InvoiceStatus.DRAFT for invoice in open_)


def _is_under_way(payment: Payment | None) -> bool:
    if payment is None or payment.status not in OPEN_PAYMENT:
        return False
    return not (payment.kind == PaymentKind.ON_SESSION and payment.status == PaymentStatus.REQUIRES_ACTION)


def _last_word(payment: Payment | None, method: PaymentMethod | None) -> str | None:
    """What the last try with the present card came to."""
    if payment is None or method is None or payment.payment_method_id != method.id:
        return None
    if payment.status == PaymentStatus.REQUIRES_ACTION:
        return "confirm"
    if payment.status != PaymentStatus.DECLINED:
        return None
    if payment.decline_code == _NOT_CONFIRMED:
        return "not_confirmed"
    said = meaning(payment.method_kind, payment.decline_code, payment.advice_code)
    if said is DeclineClass.AUTHENTICATION and method.kind in PURSES:
        # To pay again would end in the same way: PayPal wants its payer, and lets them agree only to a wallet anew.
        return "payment_method_refused"
    if said is DeclineClass.AUTHENTICATION:
        return "confirm"
    return "declined" if said is DeclineClass.SOFT else "payment_method_refused"


def _bill(invoice: Invoice, payment: Payment | None, *, zone: ZoneInfo, now: datetime) -> Bill:
    due = invoice.due_at or invoice.issued_at
    due_on = due.astimezone(zone).date() if due is not None else None
    return Bill(
        number=invoice.number,
        amount_minor=invoice.amount_remaining_minor,
        currency=invoice.currency,
        due_on=due_on,
        overdue=due_on is not None and due_on < now.astimezone(zone).date(),
        state="under_way" if _is_under_way(payment) else "open",
    )


def _paid(invoice: Invoice) -> Bill:
    forward = _forwarded(invoice)
    paid = invoice.amount_due_minor - invoice.amount_carried_forward_minor
    state = "carried_forward" if forward else "paid"
    return Bill(invoice.number, forward or paid, invoice.currency, None, overdue=False, state=state)


def _forwarded(invoice: Invoice) -> int:
    """What it leaves to the next one (minor units); 0 where most of it was paid."""
    return 0 if invoice.amount_paid_minor else invoice.amount_carried_forward_minor


def _card(method: PaymentMethod | None) -> Card | None:
    if method is None:
        return None
    brand = brand_name(method.brand, kind=method.kind)
    return Card(
        brand, method.last4 or "", wallet_name(method.wallet), method.exp_month, method.exp_year, is_debit(method.kind)
    )


def _currency(session: Session, profile: Profile, open_: Sequence[Invoice]) -> str:
    """In which the customer pays next."""
    return open_[0].currency if open_ else session.get_one(Seller, profile.seller_id).currency


def _card_account(session: Session, method: PaymentMethod | None) -> ProviderAccount:
    """The account at which a new card is kept: that of the present one, else the first. Raises `Refused`."""
    if method is not None:
        account = session.get_one(ProviderAccount, method.provider_account_id)
        if account.provider == FORM:
            return account
    return the_provider_account(session)


def _card_code(session: Session, method: PaymentMethod | None) -> str | None:
    """Its code; None before the first start has pinned one."""
    try:
        return _card_account(session, method).code
    except Refused:
        return None
