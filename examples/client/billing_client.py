"""A typed client of the billing API, made from docs/openapi.json: don't edit it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict
from uuid import uuid4

import requests


class Problem(Exception):
    """What was refused: `code`, `field` and `mend` of the first fault; `faults` are all of them.

    `retry_after_s`: after so many seconds the same request may be sent again, under its `idempotency_key`; None: look
    at `mend`. The code `not_from_billing` is that of an answer by whatever stands before billing, such as a proxy.
    """

    def __init__(self, status: int, said: dict[str, Any], *, retry_after_s: int | None = None) -> None:
        self.status, self.code, self.field, self.mend = status, said["code"], said["field"], said["mend"]
        self.faults: list[dict[str, str]] = said["faults"]
        self.retry_after_s = retry_after_s
        super().__init__(f"{status} {self.code}: {self.field}: {self.mend}")


def _problem(answer: requests.Response) -> Problem:
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        mend = "look at the address, and what stands before it"
        fault = {"field": "request", "code": "not_from_billing", "mend": mend}
        return Problem(answer.status_code, fault | {"faults": [fault]})
    wait = answer.headers.get("Retry-After")
    return Problem(answer.status_code, answer.json(), retry_after_s=int(wait) if wait else None)


class Acceptance(TypedDict):
    """A finding of the audit that is true, understood and can't be undone: which invariant, of which thing, in which words, and why. It holds for these words; in others, as with another amount, the finding accuses again."""

    id: str
    state: str
    code: str
    subject_type: str
    subject_id: str
    detail: str
    reason: str
    accepted_at: str
    revoked_at: str | None
    revoked_because: str | None
    work_item_id: str
    version: int


class AcceptanceQuery(TypedDict):
    """In which state; all unless said."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    state: NotRequired[Literal["in_force", "revoked"] | None]


Account = Literal[
    "receivable",
    "unbilled_receivable",
    "deferred_revenue",
    "revenue",
    "tax_payable",
    "provider_clearing",
    "payouts_in_transit",
    "bank",
    "provider_fees",
    "customer_credit",
    "carried_forward",
    "unapplied_payments",
    "refunds_in_flight",
    "disputes",
    "write_off",
    "promotional_credit",
    "external_money",
    "exchange_differences",
    "rounding",
]


class AccountGiven(TypedDict):
    """An account, and its number in your own chart; null takes the number away."""

    reason: str
    account: Account
    code: NotRequired[str | None]


class AccountNamed(TypedDict):
    """An account's number in your own chart."""

    account: str
    code: str | None


class ActionGiven(TypedDict):
    """One of the item's safe actions, but for those that settle money. To `accept` needs `findings_digest` as the item shows it: what an audit said in other words meanwhile is refused as `stale`."""

    reason: str
    action: Literal["retry", "park", "accept", "discard", "adopt", "reread", "release", "merge", "skip"]
    findings_digest: NotRequired[str | None]


class AddressGiven(TypedDict):
    """Lines of an address; which of them a document needs, its country says."""

    line1: NotRequired[str]
    line2: NotRequired[str]
    city: NotRequired[str]
    postal_code: NotRequired[str]
    region: NotRequired[str]


class AgingRow(TypedDict):
    """What is owed, by how late it is. `account_id`: by whom, where that was asked for."""

    currency: str
    account_id: str | None
    late: str
    invoices: int
    amount_minor: int


class ApplyGiven(TypedDict):
    """The token of a preview."""

    reason: NotRequired[str | None]
    token: str


class Attempt(TypedDict):
    """One try to collect it."""

    id: str
    attempt_no: int
    status: str
    amount_minor: int
    decline_code: str | None
    opened_at: str
    closed_at: str | None


class Balance(TypedDict):
    """Credit in one currency, and what is carried forward to the next invoice in it."""

    currency: str
    amount_minor: int
    carried_forward_minor: int


class Balances(TypedDict):
    """A customer's credit, by currency."""

    data: list[Balance]


class Brake(TypedDict):
    """What is stopped, for whom and why. Without `profile_id` it holds all customers; `wide`: those of every seller."""

    id: str
    kind: BrakeKind
    profile_id: str | None
    wide: bool
    reason: str
    stopped_at: str


class BrakeGiven(TypedDict):
    """What is stopped or started: of one customer, or, without one, of all of yours."""

    reason: str
    kind: BrakeKind
    profile_id: NotRequired[str | None]


BrakeKind = Literal["collect", "issue"]


class Brakes(TypedDict):
    """What is stopped now, oldest first."""

    data: list[Brake]


class CancelGiven(TypedDict):
    """When, and what becomes of what is paid and not used: with `prorate` it is given back, and with `unused: refund` it goes to where it came from, which needs the scope `money` as well."""

    reason: NotRequired[str | None]
    when: NotRequired[CancelWhen]
    prorate: NotRequired[bool]
    unused: NotRequired[Unused]


CancelWhen = Literal["now", "period_end"]


class ChangeGiven(TypedDict):
    """The complete new list of items."""

    reason: NotRequired[str | None]
    items: list[ItemGiven]
    when: NotRequired[ChangeWhen]
    proration: NotRequired[Proration]


ChangeWhen = Literal["now", "period_end"]


class ChargeGiven(TypedDict):
    """An invoice of one line, collected like any other. The amount is net, or gross of an inclusive rate."""

    reason: str
    amount_minor: int
    currency: str
    description: str
    tax_rate: NotRequired[str | None]


class CloseGiven(TypedDict):
    """The month that is over."""

    reason: str
    month: str


class Closed(TypedDict):
    """A closed month: what comes later is dated in the open one."""

    month: str


class ContactGiven(TypedDict):
    """Who is told by mail when it is switched off; null: nobody. Kept sealed, and shown by no answer."""

    reason: str
    address: str | None


class Coupon(TypedDict):
    """A discount."""

    id: str
    code: str
    percent: str | None
    amount_minor: int | None
    currency: str | None
    duration: str
    periods: int | None
    created_at: str


class CouponCreate(TypedDict):
    """A discount: a percent, or an amount (of `currency`, null: of any). `periods` goes with `repeating`."""

    code: str
    percent: NotRequired[str | None]
    amount_minor: NotRequired[int | None]
    currency: NotRequired[str | None]
    duration: NotRequired[Literal["once", "repeating", "forever"]]
    periods: NotRequired[int | None]


class CouponGiven(TypedDict):
    """A coupon in the place of any other."""

    reason: NotRequired[str | None]
    coupon: str


class CreditGiven(TypedDict):
    """Credit for a customer's next invoices in that currency; `prepaid`: they have paid it another way."""

    reason: str
    amount_minor: int
    currency: str
    prepaid: NotRequired[bool]


class CustomersQuery(TypedDict):
    """`by_customer`: a row for each of them."""

    as_of: str
    by_customer: NotRequired[bool]


class DayQuery(TypedDict):
    """The last day that counts, by accounting date."""

    as_of: str


class DeferredRow(TypedDict):
    """What is invoiced and not yet earned, by the month that will earn it."""

    currency: str
    month: str
    lines: int
    amount_minor: int


class Delivery(TypedDict):
    """An event on its way to an endpoint, or there. `outcome`: how the last try ended."""

    event_id: str
    topic: str | None
    status: str
    tries: int
    outcome: str | None
    next_try_at: str | None
    closed_at: str | None


class Dispute(TypedDict):
    """As the provider told last. `withdrawn_minor` and `reinstated_minor` are in `moved_currency`; in the invoice's are `reopened_minor`, what a loss has put back on it, and what of that was paid another way since, or is written off. A loss waits for a decision (`write_off`, `credit_note`), or until it is `paid`."""

    id: str
    dispute_ref: str
    status: str
    invoice_id: str
    payment_id: str | None
    profile_id: str
    amount_minor: int
    currency: str
    reason: str | None
    opened_at: str
    due_by: str | None
    closed_at: str | None
    withdrawn_minor: int
    reinstated_minor: int
    moved_currency: str | None
    reopened_minor: int
    repaid_minor: int
    given_up_minor: int
    decision: str | None
    decided_at: str | None
    version: int


class DisputeQuery(TypedDict):
    """In which state; of which invoice."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    status: NotRequired[DisputeStatus | None]
    invoice_id: NotRequired[str | None]


DisputeStatus = Literal[
    "warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review", "won", "lost"
]


class Document(TypedDict):
    """An invoice, a credit note or a cancellation. Frozen once it has a number; only what becomes of the debt moves."""

    id: str
    number: str | None
    kind: Literal["invoice", "credit_note", "cancellation"]
    status: str
    profile_id: str
    subscription_id: str | None
    corrects_id: str | None
    collection: str
    currency: str
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    credit_applied_minor: int
    brought_forward_minor: int
    amount_due_minor: int
    amount_paid_minor: int
    amount_carried_forward_minor: int
    amount_refunded_minor: int
    amount_remaining_minor: int
    amount_charged_back_minor: int
    issued_at: str | None
    due_at: str | None
    paid_at: str | None
    period_start: str | None
    period_end: str | None
    next_attempt_at: str | None
    version: int


class DocumentQuery(TypedDict):
    """Which documents."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    profile_id: NotRequired[str | None]
    subscription_id: NotRequired[str | None]
    number: NotRequired[str | None]


class Effected(TypedDict):
    """What one subscription costs a period before and after, null where usage decides. `skipped`: why it is left. `dropped_at`: when a change of its items took an earlier move to that price back."""

    subscription: str
    account_id: str
    at: str | None
    quantity: int | None
    before_minor: int | None
    after_minor: int | None
    currency: str
    skipped: str | None
    dropped_at: str | None


class Endpoint(TypedDict):
    """A receiver of events."""

    id: str
    code: str
    target: str
    topics: list[str]
    document_links: bool
    status: str
    off_reason: str | None
    delivered_at: str | None
    created_at: str
    version: int


class EndpointCreate(TypedDict):
    """Where events are posted to. `topics`: such as `invoice.paid` or `invoice.*`; none is all of them. `document_links`: events of a document say where it is opened, which shows names and addresses. Asking for it needs the scope `personal:read` as well; unless said, it is so where the key has that."""

    reason: str
    code: str
    target: str
    topics: NotRequired[list[str]]
    document_links: NotRequired[bool | None]


class EndpointSecret(TypedDict):
    """An endpoint, and its signing secret, told this once."""

    endpoint: Endpoint
    secret: str


class EndpointTested(TypedDict):
    """What became of the test event: `delivered`, or a code such as `http_500` or `timed_out`."""

    event_id: str
    outcome: str


class Event(TypedDict):
    """What happened, as endpoints hear of it; `data` by its topic's schema."""

    id: str
    topic: str
    object_type: str
    object_id: str
    occurred_at: str
    data: dict[str, Any]


class EventQuery(TypedDict):
    """Newest first."""

    limit: NotRequired[int]
    after: NotRequired[str | None]


class Explained(TypedDict):
    """How each line, the tax and the total came about, sentence by sentence. Nothing personal."""

    lines: list[str]


class Exported(TypedDict):
    """All that is kept about a person, opened: their own part, and both parties of every document."""

    data: dict[str, Any]


class FaultShape(TypedDict):
    """One thing that is wrong."""

    field: str
    code: str
    mend: str


class Finding(TypedDict):
    """What the audit says of a thing: which invariant it breaks, and how."""

    code: str
    subject_type: str
    subject_id: str
    detail: str


class Invoice(TypedDict):
    """A document with its lines, its taxes and the tries to collect it."""

    id: str
    number: str | None
    kind: Literal["invoice", "credit_note", "cancellation"]
    status: str
    profile_id: str
    subscription_id: str | None
    corrects_id: str | None
    collection: str
    currency: str
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    credit_applied_minor: int
    brought_forward_minor: int
    amount_due_minor: int
    amount_paid_minor: int
    amount_carried_forward_minor: int
    amount_refunded_minor: int
    amount_remaining_minor: int
    amount_charged_back_minor: int
    issued_at: str | None
    due_at: str | None
    paid_at: str | None
    period_start: str | None
    period_end: str | None
    next_attempt_at: str | None
    version: int
    tax_groups: list[TaxGroup]
    reverse_charge: bool
    legal_notes: list[str]
    buyer_country: str
    buyer_kind: str
    lines: list[Line]
    attempts: list[Attempt]


class InvoiceQuery(TypedDict):
    """Which invoices."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    profile_id: NotRequired[str | None]
    subscription_id: NotRequired[str | None]
    number: NotRequired[str | None]
    status: NotRequired[InvoiceStatus | None]


class InvoiceSaid(TypedDict):
    """A document in short."""

    id: str
    number: str | None
    status: str
    currency: str
    total_minor: int
    amount_remaining_minor: int
    amount_charged_back_minor: int


InvoiceStatus = Literal["draft", "open", "paid", "void", "uncollectible", "replaced", "expired", "credited", "refunded"]


class Item(TypedDict):
    """One price of a subscription."""

    price: str
    quantity: int | None


class ItemGiven(TypedDict):
    """One price, and how many of it: 1 where it is left out; a metered price has none."""

    price: str
    quantity: NotRequired[int | None]


class LateUsage(TypedDict):
    """A record of a price by the highest or latest value that came after its period was billed: it changes nothing."""

    id: str
    account_id: str
    subscription: str
    price: str
    usage: str
    record_id: str
    quantity: str
    used_at: str
    created_at: str


class Line(TypedDict):
    """One line of a document; a unit's amount is exact, and may be a fraction of a minor unit."""

    position: int
    kind: str
    price: str | None
    description: str
    quantity: str
    unit_amount: str | None
    amount_minor: int
    discount_minor: int
    tax_percent: str
    tax_inclusive: bool
    tax_code: str
    period_start: str | None
    period_end: str | None


class LineGiven(TypedDict):
    """A line; a negative amount takes something off. `tax_rate` null: it bears none."""

    reason: str
    description: str
    amount_minor: int
    tax_rate: NotRequired[str | None]


class LineNamed(TypedDict):
    """Which line, by its position in the document."""

    reason: str
    position: int


class Link(TypedDict):
    """An address for the customer alone: whoever has it can open it until it expires. Each request makes another."""

    url: str


class ListedAcceptance(TypedDict):
    """Listed_Acceptance_"""

    data: list[Acceptance]
    next: str | None


class ListedCoupon(TypedDict):
    """Listed_Coupon_"""

    data: list[Coupon]
    next: str | None


class ListedDelivery(TypedDict):
    """Listed_Delivery_"""

    data: list[Delivery]
    next: str | None


class ListedDispute(TypedDict):
    """Listed_Dispute_"""

    data: list[Dispute]
    next: str | None


class ListedDocument(TypedDict):
    """Listed_Document_"""

    data: list[Document]
    next: str | None


class ListedEndpoint(TypedDict):
    """Listed_Endpoint_"""

    data: list[Endpoint]
    next: str | None


class ListedEvent(TypedDict):
    """Listed_Event_"""

    data: list[Event]
    next: str | None


class ListedLateUsage(TypedDict):
    """Listed_LateUsage_"""

    data: list[LateUsage]
    next: str | None


class ListedPaymentMethod(TypedDict):
    """Listed_PaymentMethod_"""

    data: list[PaymentMethod]
    next: str | None


class ListedPayment(TypedDict):
    """Listed_Payment_"""

    data: list[Payment]
    next: str | None


class ListedPrice(TypedDict):
    """Listed_Price_"""

    data: list[Price]
    next: str | None


class ListedProduct(TypedDict):
    """Listed_Product_"""

    data: list[Product]
    next: str | None


class ListedProfile(TypedDict):
    """Listed_Profile_"""

    data: list[Profile]
    next: str | None


class ListedProviderEvent(TypedDict):
    """Listed_ProviderEvent_"""

    data: list[ProviderEvent]
    next: str | None


class ListedRefund(TypedDict):
    """Listed_Refund_"""

    data: list[Refund]
    next: str | None


class ListedSubscription(TypedDict):
    """Listed_Subscription_"""

    data: list[Subscription]
    next: str | None


class ListedTaxRate(TypedDict):
    """Listed_TaxRate_"""

    data: list[TaxRate]
    next: str | None


class ListedWorkItemListed(TypedDict):
    """Listed_WorkItemListed_"""

    data: list[WorkItemListed]
    next: str | None


class LookQuery(TypedDict):
    """Why what is personal is opened; kept in the audit trail."""

    reason: NotRequired[str]


class MethodAdopt(TypedDict):
    """A method that the provider keeps already, by its id there, and when the customer agreed to later charges; of a bank account also the mandate's id, so that notices of debits name it. What the provider doesn't know is 422."""

    profile_id: str
    method_ref: str
    mandate_ref: NotRequired[str | None]
    consent_text_version: str
    consent_at: str
    consent_channel: NotRequired[Literal["web", "app", "phone", "paper", "import"]]
    provider: NotRequired[Literal["stripe", "paypal"]]
    provider_account: NotRequired[str]
    make_default: NotRequired[bool]


class MethodBegin(TypedDict):
    """The customer's consent to later charges: to which text, when, where. `kind`: of the seller's `method_kinds`, the first of them where it is left out; each kind has a consent of its own."""

    profile_id: str
    consent_text_version: str
    consent_at: str
    consent_channel: NotRequired[Literal["web", "app", "phone", "paper", "import"]]
    provider: NotRequired[Literal["stripe", "paypal"]]
    kind: NotRequired[Literal["card", "sepa_debit", "paypal", "stripe_paypal"] | None]
    provider_account: NotRequired[str]


class MethodBegun(TypedDict):
    """What your page hands to the provider's own form, by its secret, which belongs to this one set-up; or, of PayPal, the page at PayPal (`approve_url`) where you send the customer to agree: then complete it."""

    id: str
    provider: str
    setup_ref: str
    client_secret: str | None
    approve_url: str | None


class MethodQuery(TypedDict):
    """Whose methods."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    profile_id: str


class MonthQuery(TypedDict):
    """Which month, by accounting date."""

    month: str


class MoveGiven(TypedDict):
    """To which price. A dry run shows the effect on each, and changes nothing. `after`: `next` of the page before."""

    to: str
    dry_run: NotRequired[bool]
    after: NotRequired[str | None]


class Moved(TypedDict):
    """A page of them. Go on with `next` until it is null: then none is left. Done again, it finds nothing to move."""

    dry_run: bool
    data: list[Effected]
    next: str | None


class MovementRow(TypedDict):
    """A movement of the provider's balance that a payout holds, with the document that it is of. `amount_minor` is gross, `fee_minor` what the provider took of it, `net_minor` what reached the bank. `type` in the provider's words, and `not_listed` for what no movement of ours explains."""

    currency: str
    occurred_at: str
    type: str
    movement: str | None
    source: str | None
    invoice: str | None
    account_id: str | None
    amount_minor: int
    fee_minor: int
    net_minor: int


class Paging(TypedDict):
    """Which part of a list."""

    limit: NotRequired[int]
    after: NotRequired[str | None]


class PaidGiven(TypedDict):
    """Money that came another way: a part leaves the rest open, an excess goes into the balance. Of a paid invoice it first pays what a lost dispute has taken; where nothing is owed it needs an amount and a reference."""

    reason: str
    amount_minor: NotRequired[int | None]
    reference: NotRequired[str]
    received_at: NotRequired[str | None]


class Part(TypedDict):
    """All that can be, unless an amount is named."""

    reason: str
    amount_minor: NotRequired[int | None]


class Parties(TypedDict):
    """Seller and buyer, as the document names them for ever."""

    seller: dict[str, Any]
    buyer: dict[str, Any]


class PayOutGiven(TypedDict):
    """Credit that goes back to where it was paid from: all of the balance, unless an amount is named."""

    reason: str
    amount_minor: NotRequired[int | None]
    currency: str


class Payment(TypedDict):
    """One try to collect an invoice. `reason` says why it ended as it did, in words of ours. `waits_for`: why the provider keeps a pending one, and what to do, in a sentence; null where it doesn't say."""

    id: str
    invoice_id: str
    profile_id: str
    attempt_no: int
    kind: str
    status: str
    amount_minor: int
    currency: str
    provider: str
    provider_account: str
    brand: str | None
    last4: str | None
    wallet: str | None
    decline_code: str | None
    reason: str | None
    waits_for: str | None
    opened_at: str
    first_sent_at: str | None
    closed_at: str | None
    next_check_at: str | None
    checks: int
    version: int


class PaymentMethod(TypedDict):
    """A method, by what may be shown of it."""

    id: str
    profile_id: str
    kind: str
    status: str
    is_default: bool
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    wallet: str | None
    consent_at: str
    created_at: str
    version: int


class PaymentQuery(TypedDict):
    """In which state; of which invoice, of which customer."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    status: NotRequired[PaymentStatus | None]
    invoice_id: NotRequired[str | None]
    profile_id: NotRequired[str | None]
    account_id: NotRequired[str | None]


PaymentStatus = Literal[
    "prepared", "sent", "unknown", "processing", "requires_action", "succeeded", "declined", "canceled", "not_sent"
]


class PayoutQuery(TypedDict):
    """Which one, by the provider's id of it."""

    payout: str


class PayoutRow(TypedDict):
    """A payout, as far as it is yours."""

    currency: str
    payout: str
    status: str
    opened: str
    arrives: str | None
    amount_minor: int
    in_transit_minor: int
    banked_minor: int


class PersonalShown(TypedDict):
    """Name, e-mail, address and tax id, opened. Every look stands in the audit trail."""

    name: str
    email: str | None
    address: AddressGiven
    tax_id: str | None


class Preview(TypedDict):
    """What it would come to as of `at`. `waiting` are lines for the next invoice, `on_drafts` take something off invoices in review, `upcoming` is the next invoice as far as it is known: without usage. `token` applies it."""

    at: str
    documents: list[PreviewedDocument]
    waiting: list[PreviewedLine]
    on_drafts: list[PreviewedLine]
    upcoming: PreviewedDocument | None
    token: str


class PreviewCancel(TypedDict):
    """The cancel that is looked at."""

    when: NotRequired[CancelWhen]
    prorate: NotRequired[bool]


class PreviewChange(TypedDict):
    """The change that is looked at."""

    items: list[ItemGiven]
    when: NotRequired[ChangeWhen]
    proration: NotRequired[Proration]


class PreviewedDocument(TypedDict):
    """A document that would be issued; it has no number yet."""

    kind: str
    currency: str
    period_start: str | None
    period_end: str | None
    lines: list[PreviewedLine]
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    credit_applied_minor: int
    brought_forward_minor: int
    amount_due_minor: int


class PreviewedLine(TypedDict):
    """A line that would be written."""

    kind: str
    description: str
    quantity: str
    amount_minor: int
    discount_minor: int
    period_start: str | None
    period_end: str | None


class Price(TypedDict):
    """An amount for a product and an interval."""

    id: str
    code: str
    product: str
    currency: str
    model: str
    unit_amount: str | None
    tiers: list[Tier] | None
    package_size: int | None
    interval: str | None
    interval_count: int
    usage: str | None
    tax_rate: str | None
    created_at: str


class PriceCreate(TypedDict):
    """`unit_amount` is exact, in minor units; a graduated or volume price has `tiers` in its place. Without an interval it is charged once; with `usage` it is metered, and paid in arrears."""

    code: str
    product: str
    currency: str
    unit_amount: NotRequired[str | None]
    interval: NotRequired[Literal["day", "week", "month", "year"] | None]
    interval_count: NotRequired[int]
    tax_rate: NotRequired[str | None]
    model: NotRequired[Literal["per_unit", "flat", "package", "graduated", "volume"]]
    tiers: NotRequired[list[TierGiven]]
    package_size: NotRequired[int | None]
    usage: NotRequired[Literal["sum", "max", "last"] | None]


class PrintQuery(TypedDict):
    """In which language; the customer's unless said."""

    reason: NotRequired[str]
    language: NotRequired[Literal["en", "de", "fr", "es"] | None]


class Product(TypedDict):
    """What is sold."""

    id: str
    code: str
    name: str
    created_at: str


class ProductCreate(TypedDict):
    """What is sold. The name is what customers read on their invoices."""

    code: str
    name: str


class Profile(TypedDict):
    """A paying customer. Nothing personal."""

    id: str
    account_id: str
    country: str
    timezone: str
    buyer_kind: str
    has_tax_id: bool
    on_hold: bool
    erased_at: str | None
    created_at: str
    version: int


class ProfileCreate(TypedDict):
    """A new one."""

    name: str
    country: str
    email: NotRequired[str | None]
    address: NotRequired[AddressGiven]
    tax_id: NotRequired[str | None]
    timezone: NotRequired[str]
    buyer_kind: NotRequired[Literal["consumer", "business"]]
    account_id: str


class ProfileGiven(TypedDict):
    """The whole of what may change. Name, e-mail, address and tax id are stored encrypted and shown by no answer."""

    name: str
    country: str
    email: NotRequired[str | None]
    address: NotRequired[AddressGiven]
    tax_id: NotRequired[str | None]
    timezone: NotRequired[str]
    buyer_kind: NotRequired[Literal["consumer", "business"]]


class ProfileQuery(TypedDict):
    """Which customers."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    account_id: NotRequired[str | None]


Proration = Literal["prorate", "none", "invoice_now"]


class ProviderEvent(TypedDict):
    """One delivery. `object_ref` is the provider's id of what it tells of."""

    id: str
    provider: str
    provider_account: str
    event_ref: str
    type: str
    object_type: str
    object_ref: str
    status: str
    tries: int
    error: str | None
    occurred_at: str
    received_at: str
    handled_at: str | None
    next_try_at: str | None
    has_body: bool
    version: int


class ProviderEventBody(TypedDict):
    """As it arrived; it may be personal. Kept for 90 days after it was handled."""

    body: str


class ProviderEventQuery(TypedDict):
    """About which object, by the provider's id; or those whose handling was given up."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    object_ref: NotRequired[str | None]
    status: NotRequired[Literal["dead"] | None]


class RateChange(TypedDict):
    """From that day on, in the seller's zone. What it does not name stays as it was."""

    starts_on: str
    percent: str | None
    countries: dict[str, Any]


class RateChangeGiven(TypedDict):
    """From that day on, in the seller's zone. What it does not name stays as it was."""

    starts_on: str
    percent: NotRequired[str | None]
    countries: NotRequired[dict[str, Any]]


class Reasoned(TypedDict):
    """An order that may say why; it is kept in the audit trail."""

    reason: NotRequired[str | None]


class RecordNamed(TypedDict):
    """A record, by your id of it."""

    subscription: str
    id: str


class Refund(TypedDict):
    """Money on its way back, or there."""

    id: str
    invoice_id: str
    credit_note_id: str | None
    status: str
    amount_minor: int
    currency: str
    reason: str | None
    opened_at: str
    closed_at: str | None


class RefundQuery(TypedDict):
    """Of which invoice."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    invoice_id: str


class Refunded(TypedDict):
    """The refunds of this request, one a payment that it takes from."""

    invoice: Document
    refunds: list[Refund]


class Replaced(TypedDict):
    """The document, the note that credits it in full, and the corrected one in its place."""

    invoice: Invoice
    credit_note: Document
    replaced_by: Document


class ReplayGiven(TypedDict):
    """From an instant of business time until before another."""

    reason: str
    since: str
    until: str


class ReportAgingRow(TypedDict):
    """Report_AgingRow_"""

    rows: list[AgingRow]
    ties: list[Tie]


class ReportDeferredRow(TypedDict):
    """Report_DeferredRow_"""

    rows: list[DeferredRow]
    ties: list[Tie]


class ReportMovementRow(TypedDict):
    """Report_MovementRow_"""

    rows: list[MovementRow]
    ties: list[Tie]


class ReportPayoutRow(TypedDict):
    """Report_PayoutRow_"""

    rows: list[PayoutRow]
    ties: list[Tie]


class ReportTaxRow(TypedDict):
    """Report_TaxRow_"""

    rows: list[TaxRow]
    ties: list[Tie]


class RotateGiven(TypedDict):
    """For how long the former secret signs too; 0 ends it now."""

    reason: str
    keep_hours: NotRequired[int]


class SettledGiven(TypedDict):
    """How what a failed refund owes, or what is kept apart, is settled (`reason` is the reference of what was paid another way), or that money which is kept apart goes back."""

    reason: str
    action: Literal["credit", "paid", "refund"]


class Shape(TypedDict):
    """What a request or an answer looks like. A field that it doesn't know is a fault, never ignored."""


class SpanQuery(TypedDict):
    """The first day of the turnover, too: what lies before is `opening_minor`. By default there is no such day."""

    as_of: str
    since: NotRequired[str | None]


class Standing(TypedDict):
    """What an account stood at before `since`, its turnover from then to the day, and what it stands at then. A debit is positive. `code`: in your own chart."""

    account: str
    code: str | None
    opening_minor: int
    debit_minor: int
    credit_minor: int
    balance_minor: int


class Subscription(TypedDict):
    """Who has what, until when it is billed, and the document that came last."""

    id: str
    code: str
    profile_id: str
    account_id: str
    status: str
    items: list[Item]
    currency: str
    interval_unit: str
    interval_count: int
    timezone: str
    anchor_at: str
    started_at: str
    trial_end: str | None
    current_period_start: str | None
    current_period_end: str | None
    next_due_at: str | None
    cancel_at: str | None
    ended_at: str | None
    collection: str
    days_until_due: int
    coupon: str | None
    change_scheduled: bool
    on_hold: bool
    latest_invoice: InvoiceSaid | None
    created_at: str
    version: int


class SubscriptionCreate(TypedDict):
    """A new one. `start` is now unless given."""

    code: str
    account_id: str
    items: list[ItemGiven]
    start: NotRequired[str | None]
    anchor: NotRequired[str | None]
    trial_days: NotRequired[int | None]
    coupon: NotRequired[str | None]
    timezone: NotRequired[str | None]
    collection: NotRequired[Literal["automatic", "send_invoice"]]
    days_until_due: NotRequired[int]
    first_payment: NotRequired[bool]


class SubscriptionQuery(TypedDict):
    """Which subscriptions."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    profile_id: NotRequired[str | None]
    code: NotRequired[str | None]


class TaxGroup(TypedDict):
    """The tax at one percent."""

    percent: str
    inclusive: bool
    base_minor: int
    tax_minor: int
    code: str


class TaxRate(TypedDict):
    """A rate. Issued documents keep the percent that they were issued with."""

    id: str
    name: str
    percent: str
    inclusive: bool
    countries: dict[str, Any]
    changes: list[RateChange]
    version: int


class TaxRatePut(TypedDict):
    """The rate of that name, whole. `countries`: the percent where it differs, by country; `changes` come on their days by themselves. Whether prices include the tax stays as it is once there are some."""

    name: str
    percent: str
    inclusive: NotRequired[bool]
    countries: NotRequired[dict[str, Any]]
    changes: NotRequired[list[RateChangeGiven]]
    reason: NotRequired[str | None]


class TaxRow(TypedDict):
    """Tax of documents of one kind, country, treatment and rate. Notes count negative."""

    currency: str
    country: str
    code: str
    percent: str
    documents: str
    number: int
    base_minor: int
    amount_minor: int


class Tie(TypedDict):
    """What the report comes to and what its account says; `difference_minor` is 0, or the books are broken."""

    currency: str
    account: str
    report_minor: int
    ledger_minor: int
    difference_minor: int


class Tier(TypedDict):
    """Up to and including `up_to`; null: all the rest."""

    up_to: str | None
    unit: str
    flat: str


class TierGiven(TypedDict):
    """Up to and including `up_to` (null: all the rest), in minor units: `unit` for each, `flat` once."""

    up_to: str | None
    unit: str
    flat: NotRequired[str]


class TrialBalance(TypedDict):
    """All accounts in one currency; their balances sum to nothing."""

    currency: str
    accounts: list[Standing]
    difference_minor: int


class TrialBalances(TypedDict):
    """One a currency."""

    data: list[TrialBalance]


Unused = Literal["balance", "refund"]


class UsageBatch(TypedDict):
    """Records of any subscriptions."""

    records: list[UsageGiven]


class UsageGiven(TypedDict):
    """One record. `id` is yours, unique in the subscription: a repeat is ignored. `used_at` is now unless given."""

    subscription: str
    price: str
    id: str
    quantity: str
    used_at: NotRequired[str | None]


class UsageRecorded(TypedDict):
    """How many are new, how many were there already, and how many of the new came too late to be billed. `differing`: those that were there and say another price, quantity or time than what was given now, which is ignored."""

    written: int
    repeated: int
    late: int
    differing: list[RecordNamed]


class Why(TypedDict):
    """An order that asks for nothing but its reason."""

    reason: str


class WorkItem(TypedDict):
    """The same with all that an audit says of it. `findings_digest` stands for just that, to accept it by."""

    id: str
    kind: str
    status: str
    summary: str
    subject_type: str
    subject_id: str
    profile_id: str | None
    amount_minor: int | None
    currency: str | None
    error: str | None
    tries: int
    next_try_at: str | None
    safe_actions: list[str]
    seen_at: str
    closed_at: str | None
    version: int
    findings: list[Finding] | None
    findings_digest: str | None


class WorkItemListed(TypedDict):
    """What needs a person or another try, in billing words."""

    id: str
    kind: str
    status: str
    summary: str
    subject_type: str
    subject_id: str
    profile_id: str | None
    amount_minor: int | None
    currency: str | None
    error: str | None
    tries: int
    next_try_at: str | None
    safe_actions: list[str]
    seen_at: str
    closed_at: str | None
    version: int


class WorkQuery(TypedDict):
    """In which state; open ones unless said."""

    limit: NotRequired[int]
    after: NotRequired[str | None]
    status: NotRequired[Literal["open", "parked", "resolved", "discarded"]]


class Client:
    """Asks with a key, once: a request whose answer is lost raises what `requests` raises.

    `idempotency_key`: the same for each try of one request, so give one that you keep; without, a new one is made each
    time, and what is sent again may be done twice. Lists go on with `after`, the `next` of the page before.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = 30, session: requests.Session | None = None) -> None:
        """`url`: of the service, such as https://billing.example.com."""
        self._url, self._timeout_s = url.rstrip("/") + "/api/v1", timeout_s
        self._session = session or requests.Session()
        self._headers = {"Authorization": f"Bearer {key}"}

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
        version: int | None = None,
    ) -> Any:
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = idempotency_key or str(uuid4())
        if version is not None:
            headers["If-Match"] = str(version)
        given = {name: value for name, value in (query or {}).items() if value is not None}
        asked = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
        answer = self._session.request(
            method, self._url + path, params=asked, json=body, headers=headers, timeout=self._timeout_s
        )
        if not answer.ok:
            raise _problem(answer)
        return answer.json() if answer.headers["Content-Type"].startswith("application/json") else answer.content

    def list_profiles(
        self, *, limit: int | None = None, after: str | None = None, account_id: str | None = None
    ) -> ListedProfile:
        """Customers, in the order of their accounts."""
        made: ListedProfile = self._ask(
            "GET", "/profiles", query={"limit": limit, "after": after, "account_id": account_id}
        )
        return made

    def create_profile(self, body: ProfileCreate, *, idempotency_key: str | None = None) -> Profile:
        """A customer, for one account of yours."""
        made: Profile = self._ask("POST", "/profiles", body=body, idempotency_key=idempotency_key)
        return made

    def show_profile(self, id: str) -> Profile:
        """One customer."""
        made: Profile = self._ask("GET", f"/profiles/{id}")
        return made

    def change_profile(self, id: str, body: ProfileGiven, *, version: int | None = None) -> Profile:
        """The new state, whole: what is left out is gone."""
        made: Profile = self._ask("PUT", f"/profiles/{id}", body=body, version=version)
        return made

    def show_personal(self, id: str, *, reason: str | None = None) -> PersonalShown:
        """Name, e-mail, address and tax id of a customer."""
        made: PersonalShown = self._ask("GET", f"/profiles/{id}/personal", query={"reason": reason})
        return made

    def export_person(self, id: str, *, reason: str | None = None) -> Exported:
        """A copy of all that is kept about a person."""
        made: Exported = self._ask("GET", f"/profiles/{id}/export", query={"reason": reason})
        return made

    def erase_person(self, id: str, body: Why, *, idempotency_key: str | None = None) -> Profile:
        """Forget a person, once nothing of theirs is open; issued documents stay. It can't be taken back."""
        made: Profile = self._ask("POST", f"/profiles/{id}/erase", body=body, idempotency_key=idempotency_key)
        return made

    def link_to_profile(self, id: str, *, idempotency_key: str | None = None) -> Link:
        """A link to the customer's page: all that is open, and the payment method."""
        made: Link = self._ask("POST", f"/profiles/{id}/link", idempotency_key=idempotency_key)
        return made

    def revoke_links(self, id: str, body: Why, *, idempotency_key: str | None = None) -> Profile:
        """Make every link handed out to a customer so far worthless."""
        made: Profile = self._ask("POST", f"/profiles/{id}/revoke-links", body=body, idempotency_key=idempotency_key)
        return made

    def list_payment_methods(
        self, *, limit: int | None = None, after: str | None = None, profile_id: str
    ) -> ListedPaymentMethod:
        """A customer's methods, newest first."""
        made: ListedPaymentMethod = self._ask(
            "GET", "/payment-methods", query={"limit": limit, "after": after, "profile_id": profile_id}
        )
        return made

    def begin_payment_method(self, body: MethodBegin, *, idempotency_key: str | None = None) -> MethodBegun:
        """Begin a method at the provider."""
        made: MethodBegun = self._ask("POST", "/payment-methods", body=body, idempotency_key=idempotency_key)
        return made

    def adopt_payment_method(self, body: MethodAdopt, *, idempotency_key: str | None = None) -> PaymentMethod:
        """Take over a method that the provider keeps already."""
        made: PaymentMethod = self._ask("POST", "/payment-methods/adopt", body=body, idempotency_key=idempotency_key)
        return made

    def show_payment_method(self, id: str) -> PaymentMethod:
        """One method."""
        made: PaymentMethod = self._ask("GET", f"/payment-methods/{id}")
        return made

    def remove_payment_method(self, id: str, *, version: int | None = None) -> PaymentMethod:
        """Charge it no more, here and there."""
        made: PaymentMethod = self._ask("DELETE", f"/payment-methods/{id}", version=version)
        return made

    def complete_payment_method(self, id: str, *, idempotency_key: str | None = None) -> PaymentMethod:
        """Look whether the customer has completed it; the provider's event does so too."""
        made: PaymentMethod = self._ask("POST", f"/payment-methods/{id}/complete", idempotency_key=idempotency_key)
        return made

    def make_default_payment_method(
        self, id: str, *, idempotency_key: str | None = None, version: int | None = None
    ) -> PaymentMethod:
        """Charge this one from now on; what is open is tried at once."""
        made: PaymentMethod = self._ask(
            "POST", f"/payment-methods/{id}/make-default", idempotency_key=idempotency_key, version=version
        )
        return made

    def list_products(self, *, limit: int | None = None, after: str | None = None) -> ListedProduct:
        """Products, in the order of their codes."""
        made: ListedProduct = self._ask("GET", "/products", query={"limit": limit, "after": after})
        return made

    def create_product(self, body: ProductCreate, *, idempotency_key: str | None = None) -> Product:
        """A thing that has prices."""
        made: Product = self._ask("POST", "/products", body=body, idempotency_key=idempotency_key)
        return made

    def show_product(self, id: str) -> Product:
        """One product."""
        made: Product = self._ask("GET", f"/products/{id}")
        return made

    def list_prices(self, *, limit: int | None = None, after: str | None = None) -> ListedPrice:
        """Prices, in the order of their codes."""
        made: ListedPrice = self._ask("GET", "/prices", query={"limit": limit, "after": after})
        return made

    def create_price(self, body: PriceCreate, *, idempotency_key: str | None = None) -> Price:
        """A price; it never changes."""
        made: Price = self._ask("POST", "/prices", body=body, idempotency_key=idempotency_key)
        return made

    def show_price(self, id: str) -> Price:
        """One price."""
        made: Price = self._ask("GET", f"/prices/{id}")
        return made

    def list_coupons(self, *, limit: int | None = None, after: str | None = None) -> ListedCoupon:
        """Coupons, in the order of their codes."""
        made: ListedCoupon = self._ask("GET", "/coupons", query={"limit": limit, "after": after})
        return made

    def create_coupon(self, body: CouponCreate, *, idempotency_key: str | None = None) -> Coupon:
        """A discount; it never changes."""
        made: Coupon = self._ask("POST", "/coupons", body=body, idempotency_key=idempotency_key)
        return made

    def show_coupon(self, id: str) -> Coupon:
        """One coupon."""
        made: Coupon = self._ask("GET", f"/coupons/{id}")
        return made

    def move_price(self, id: str, body: MoveGiven, *, idempotency_key: str | None = None) -> Moved:
        """Move up to 200 subscriptions that have it to another price, at their next period."""
        made: Moved = self._ask("POST", f"/prices/{id}/move", body=body, idempotency_key=idempotency_key)
        return made

    def list_tax_rates(self, *, limit: int | None = None, after: str | None = None) -> ListedTaxRate:
        """Rates, in the order of their names."""
        made: ListedTaxRate = self._ask("GET", "/tax-rates", query={"limit": limit, "after": after})
        return made

    def put_tax_rate(
        self, body: TaxRatePut, *, idempotency_key: str | None = None, version: int | None = None
    ) -> TaxRate:
        """Make the rate of that name be so, for later documents."""
        made: TaxRate = self._ask("POST", "/tax-rates", body=body, idempotency_key=idempotency_key, version=version)
        return made

    def show_tax_rate(self, id: str) -> TaxRate:
        """One rate."""
        made: TaxRate = self._ask("GET", f"/tax-rates/{id}")
        return made

    def list_subscriptions(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        profile_id: str | None = None,
        code: str | None = None,
    ) -> ListedSubscription:
        """Subscriptions, in the order of their codes."""
        made: ListedSubscription = self._ask(
            "GET", "/subscriptions", query={"limit": limit, "after": after, "profile_id": profile_id, "code": code}
        )
        return made

    def create_subscription(self, body: SubscriptionCreate, *, idempotency_key: str | None = None) -> Subscription:
        """Subscribe; what is due now is invoiced in the same breath."""
        made: Subscription = self._ask("POST", "/subscriptions", body=body, idempotency_key=idempotency_key)
        return made

    def show_subscription(self, id: str) -> Subscription:
        """One subscription."""
        made: Subscription = self._ask("GET", f"/subscriptions/{id}")
        return made

    def change_subscription(
        self, id: str, body: ChangeGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Subscription:
        """Give it other items, now or at the next boundary."""
        made: Subscription = self._ask(
            "POST", f"/subscriptions/{id}/change", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def cancel_subscription(
        self, id: str, body: CancelGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Subscription:
        """End it, now or when the running period is over."""
        made: Subscription = self._ask(
            "POST", f"/subscriptions/{id}/cancel", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def uncancel_subscription(
        self, id: str, body: Reasoned, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Subscription:
        """Take a scheduled cancel back."""
        made: Subscription = self._ask(
            "POST", f"/subscriptions/{id}/uncancel", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def pause_subscription(
        self, id: str, body: Reasoned, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Subscription:
        """Let boundaries pass unbilled."""
        made: Subscription = self._ask(
            "POST", f"/subscriptions/{id}/pause", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def resume_subscription(
        self, id: str, body: Reasoned, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Subscription:
        """Bill again from the next boundary."""
        made: Subscription = self._ask(
            "POST", f"/subscriptions/{id}/resume", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def coupon_subscription(
        self, id: str, body: CouponGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Subscription:
        """Put a coupon in the place of any other."""
        made: Subscription = self._ask(
            "POST", f"/subscriptions/{id}/coupon", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def preview_change(self, id: str, body: PreviewChange, *, idempotency_key: str | None = None) -> Preview:
        """What a change of items would come to now."""
        made: Preview = self._ask(
            "POST", f"/subscriptions/{id}/preview-change", body=body, idempotency_key=idempotency_key
        )
        return made

    def preview_cancel(self, id: str, body: PreviewCancel, *, idempotency_key: str | None = None) -> Preview:
        """What a cancel would come to now."""
        made: Preview = self._ask(
            "POST", f"/subscriptions/{id}/preview-cancel", body=body, idempotency_key=idempotency_key
        )
        return made

    def apply_preview(self, body: ApplyGiven, *, idempotency_key: str | None = None) -> Subscription:
        """Do what a preview showed; refused once anything has changed."""
        made: Subscription = self._ask("POST", "/previews/apply", body=body, idempotency_key=idempotency_key)
        return made

    def record_usage(self, body: UsageBatch, *, idempotency_key: str | None = None) -> UsageRecorded:
        """Record usage, all of it or none."""
        made: UsageRecorded = self._ask("POST", "/usage", body=body, idempotency_key=idempotency_key)
        return made

    def list_late_usage(self, *, limit: int | None = None, after: str | None = None) -> ListedLateUsage:
        """What came too late to be billed, newest first."""
        made: ListedLateUsage = self._ask("GET", "/usage/late", query={"limit": limit, "after": after})
        return made

    def list_invoices(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        profile_id: str | None = None,
        subscription_id: str | None = None,
        number: str | None = None,
        status: InvoiceStatus | None = None,
    ) -> ListedDocument:
        """Invoices, newest first."""
        made: ListedDocument = self._ask(
            "GET",
            "/invoices",
            query={
                "limit": limit,
                "after": after,
                "profile_id": profile_id,
                "subscription_id": subscription_id,
                "number": number,
                "status": status,
            },
        )
        return made

    def show_invoice(self, id: str) -> Invoice:
        """One document, whole."""
        made: Invoice = self._ask("GET", f"/invoices/{id}")
        return made

    def print_invoice(
        self, id: str, *, reason: str | None = None, language: Literal["en", "de", "fr", "es"] | None = None
    ) -> bytes:
        """The document as the customer gets it, as a file."""
        made: bytes = self._ask("GET", f"/invoices/{id}/pdf", query={"reason": reason, "language": language})
        return made

    def show_invoice_page(
        self, id: str, *, reason: str | None = None, language: Literal["en", "de", "fr", "es"] | None = None
    ) -> bytes:
        """The document as a page, which may be printed too."""
        made: bytes = self._ask("GET", f"/invoices/{id}/html", query={"reason": reason, "language": language})
        return made

    def show_invoice_parties(self, id: str, *, reason: str | None = None) -> Parties:
        """Seller and buyer, as the document names them."""
        made: Parties = self._ask("GET", f"/invoices/{id}/parties", query={"reason": reason})
        return made

    def explain_invoice(self, id: str) -> Explained:
        """How its amounts came about, in words."""
        made: Explained = self._ask("GET", f"/invoices/{id}/explanation")
        return made

    def link_to_pay_invoice(self, id: str, *, idempotency_key: str | None = None) -> Link:
        """A link with which the customer pays it, authenticates, or gives another card."""
        made: Link = self._ask("POST", f"/invoices/{id}/pay-link", idempotency_key=idempotency_key)
        return made

    def link_to_document(self, id: str, *, idempotency_key: str | None = None) -> Link:
        """A link that opens the document, names too; append `.pdf` for the file."""
        made: Link = self._ask("POST", f"/invoices/{id}/document-link", idempotency_key=idempotency_key)
        return made

    def add_line(
        self, id: str, body: LineGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Add a line to a draft; its sums follow."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/add-line", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def remove_line(
        self, id: str, body: LineNamed, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Take a line off a draft; its sums follow."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/remove-line", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def release(self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None) -> Invoice:
        """Issue a draft now instead of when its review ends."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/release", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def void_invoice(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Take an open invoice back, with a document that says so."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/void", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def write_off_invoice(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Give up what is still owed; it is not tried again."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/write-off", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def mark_paid_invoice(
        self, id: str, body: PaidGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Note money that came another way."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/mark-paid", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def credit_invoice(
        self, id: str, body: Part, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Issue a credit note: off the debt, or into the balance."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/credit", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def apply_credit_to_invoice(
        self, id: str, body: Part, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Pay it out of the customer's balance."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/apply-credit", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def retry_invoice(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Invoice:
        """Try to collect it now."""
        made: Invoice = self._ask(
            "POST", f"/invoices/{id}/retry", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def refund_invoice(
        self, id: str, body: Part, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Refunded:
        """Give back what was paid, with a credit note; a worker sends it."""
        made: Refunded = self._ask(
            "POST", f"/invoices/{id}/refund", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def replace_invoice(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Replaced:
        """Credit it in full, and issue a corrected one for the same period."""
        made: Replaced = self._ask(
            "POST", f"/invoices/{id}/replace", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def list_refunds(self, *, limit: int | None = None, after: str | None = None, invoice_id: str) -> ListedRefund:
        """Refunds of an invoice, newest first."""
        made: ListedRefund = self._ask(
            "GET", "/refunds", query={"limit": limit, "after": after, "invoice_id": invoice_id}
        )
        return made

    def show_refund(self, id: str) -> Refund:
        """One refund."""
        made: Refund = self._ask("GET", f"/refunds/{id}")
        return made

    def list_credit_notes(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        profile_id: str | None = None,
        subscription_id: str | None = None,
        number: str | None = None,
    ) -> ListedDocument:
        """Credit notes and cancellations, newest first."""
        made: ListedDocument = self._ask(
            "GET",
            "/credit-notes",
            query={
                "limit": limit,
                "after": after,
                "profile_id": profile_id,
                "subscription_id": subscription_id,
                "number": number,
            },
        )
        return made

    def show_credit(self, id: str) -> Balances:
        """A customer's credit."""
        made: Balances = self._ask("GET", f"/profiles/{id}/credit")
        return made

    def grant_credit(self, id: str, body: CreditGiven, *, idempotency_key: str | None = None) -> Balances:
        """Give credit for the next invoices."""
        made: Balances = self._ask("POST", f"/profiles/{id}/credit", body=body, idempotency_key=idempotency_key)
        return made

    def pay_out_credit(self, id: str, body: PayOutGiven, *, idempotency_key: str | None = None) -> Balances:
        """Send credit back to where it was paid from."""
        made: Balances = self._ask("POST", f"/profiles/{id}/pay-out", body=body, idempotency_key=idempotency_key)
        return made

    def write_off_carried_forward(self, id: str, body: Why, *, idempotency_key: str | None = None) -> Balances:
        """Give up what is carried forward."""
        made: Balances = self._ask("POST", f"/profiles/{id}/write-off", body=body, idempotency_key=idempotency_key)
        return made

    def charge_once(self, id: str, body: ChargeGiven, *, idempotency_key: str | None = None) -> Invoice:
        """Invoice one thing, beside all else."""
        made: Invoice = self._ask("POST", f"/profiles/{id}/charge", body=body, idempotency_key=idempotency_key)
        return made

    def list_payments(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        status: PaymentStatus | None = None,
        invoice_id: str | None = None,
        profile_id: str | None = None,
        account_id: str | None = None,
    ) -> ListedPayment:
        """Attempts, newest first; those that nobody can tell: `unknown`."""
        made: ListedPayment = self._ask(
            "GET",
            "/payments",
            query={
                "limit": limit,
                "after": after,
                "status": status,
                "invoice_id": invoice_id,
                "profile_id": profile_id,
                "account_id": account_id,
            },
        )
        return made

    def show_payment(self, id: str) -> Payment:
        """One attempt."""
        made: Payment = self._ask("GET", f"/payments/{id}")
        return made

    def resolve_payment(self, id: str, body: Why, *, idempotency_key: str | None = None) -> Payment:
        """Ask the provider what became of an open attempt; nothing is guessed."""
        made: Payment = self._ask("POST", f"/payments/{id}/resolve", body=body, idempotency_key=idempotency_key)
        return made

    def list_disputes(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        status: DisputeStatus | None = None,
        invoice_id: str | None = None,
    ) -> ListedDispute:
        """Disputes, newest first."""
        made: ListedDispute = self._ask(
            "GET", "/disputes", query={"limit": limit, "after": after, "status": status, "invoice_id": invoice_id}
        )
        return made

    def show_dispute(self, id: str) -> Dispute:
        """One dispute."""
        made: Dispute = self._ask("GET", f"/disputes/{id}")
        return made

    def write_off_dispute(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Dispute:
        """Give up what a lost dispute has taken: a loss of yours; invoice and tax stand."""
        made: Dispute = self._ask(
            "POST", f"/disputes/{id}/write-off", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def credit_dispute(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Dispute:
        """Own that a lost dispute was right: a credit note takes revenue and tax back."""
        made: Dispute = self._ask(
            "POST", f"/disputes/{id}/credit", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def report_tax(self, *, month: str) -> ReportTaxRow:
        """Tax of a month's documents; ties to tax_payable."""
        made: ReportTaxRow = self._ask("GET", "/reports/tax", query={"month": month})
        return made

    def report_aging(self, *, as_of: str, by_customer: bool | None = None) -> ReportAgingRow:
        """What was owed at the end of a day; ties to receivable."""
        made: ReportAgingRow = self._ask("GET", "/reports/aging", query={"as_of": as_of, "by_customer": by_customer})
        return made

    def report_deferred(self, *, as_of: str) -> ReportDeferredRow:
        """What was not yet earned at the end of a day; ties to deferred_revenue."""
        made: ReportDeferredRow = self._ask("GET", "/reports/deferred", query={"as_of": as_of})
        return made

    def report_payouts(self, *, month: str) -> ReportPayoutRow:
        """Payouts of a month; ties to payouts_in_transit and bank."""
        made: ReportPayoutRow = self._ask("GET", "/reports/payouts", query={"month": month})
        return made

    def report_payout(self, *, payout: str) -> ReportMovementRow:
        """What one payout holds, each movement with its fee and invoice; ties to what was booked as sent."""
        made: ReportMovementRow = self._ask("GET", "/reports/payout", query={"payout": payout})
        return made

    def show_trial_balance(self, *, as_of: str, since: str | None = None) -> TrialBalances:
        """What each account stands at."""
        made: TrialBalances = self._ask("GET", "/ledger/trial-balance", query={"as_of": as_of, "since": since})
        return made

    def close_month(self, body: CloseGiven, *, idempotency_key: str | None = None) -> Closed:
        """Close a month; a closed one stays as it is."""
        made: Closed = self._ask("POST", "/ledger/close", body=body, idempotency_key=idempotency_key)
        return made

    def name_account(self, body: AccountGiven, *, idempotency_key: str | None = None) -> AccountNamed:
        """Give an account its number in your own chart."""
        made: AccountNamed = self._ask("POST", "/ledger/accounts", body=body, idempotency_key=idempotency_key)
        return made

    def list_brakes(self) -> Brakes:
        """What is stopped now."""
        made: Brakes = self._ask("GET", "/brakes")
        return made

    def stop_brake(self, body: BrakeGiven, *, idempotency_key: str | None = None) -> Brakes:
        """Stop charging or issuing within seconds."""
        made: Brakes = self._ask("POST", "/brakes/stop", body=body, idempotency_key=idempotency_key)
        return made

    def start_brake(self, body: BrakeGiven, *, idempotency_key: str | None = None) -> Brakes:
        """Start it again; the next sweep catches up."""
        made: Brakes = self._ask("POST", "/brakes/start", body=body, idempotency_key=idempotency_key)
        return made

    def list_work_items(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        status: Literal["open", "parked", "resolved", "discarded"] | None = None,
    ) -> ListedWorkItemListed:
        """Work items, newest first."""
        made: ListedWorkItemListed = self._ask(
            "GET", "/work-items", query={"limit": limit, "after": after, "status": status}
        )
        return made

    def show_work_item(self, id: str) -> WorkItem:
        """One work item."""
        made: WorkItem = self._ask("GET", f"/work-items/{id}")
        return made

    def act_on_work_item(
        self, id: str, body: ActionGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> WorkItem:
        """Do one of its safe actions."""
        made: WorkItem = self._ask(
            "POST", f"/work-items/{id}/act", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def settle_work_item(
        self, id: str, body: SettledGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> WorkItem:
        """Settle what is owed, or send it back."""
        made: WorkItem = self._ask(
            "POST", f"/work-items/{id}/settle", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def list_events(self, *, limit: int | None = None, after: str | None = None) -> ListedEvent:
        """What happened, newest first."""
        made: ListedEvent = self._ask("GET", "/events", query={"limit": limit, "after": after})
        return made

    def show_event(self, id: str) -> Event:
        """One event."""
        made: Event = self._ask("GET", f"/events/{id}")
        return made

    def list_acceptances(
        self, *, limit: int | None = None, after: str | None = None, state: Literal["in_force", "revoked"] | None = None
    ) -> ListedAcceptance:
        """Accepted findings of the audit, newest first."""
        made: ListedAcceptance = self._ask(
            "GET", "/acceptances", query={"limit": limit, "after": after, "state": state}
        )
        return made

    def show_acceptance(self, id: str) -> Acceptance:
        """One accepted finding."""
        made: Acceptance = self._ask("GET", f"/acceptances/{id}")
        return made

    def revoke_acceptance(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Acceptance:
        """Revoke it: the next audit of everything accuses it again."""
        made: Acceptance = self._ask(
            "POST", f"/acceptances/{id}/revoke", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def list_provider_events(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        object_ref: str | None = None,
        status: Literal["dead"] | None = None,
    ) -> ListedProviderEvent:
        """What a provider told us of one object of yours, or what could not be handled; newest first."""
        made: ListedProviderEvent = self._ask(
            "GET",
            "/provider-events",
            query={"limit": limit, "after": after, "object_ref": object_ref, "status": status},
        )
        return made

    def show_provider_event(self, id: str) -> ProviderEvent:
        """One of them."""
        made: ProviderEvent = self._ask("GET", f"/provider-events/{id}")
        return made

    def show_provider_event_body(self, id: str, *, reason: str | None = None) -> ProviderEventBody:
        """Its body, as it arrived."""
        made: ProviderEventBody = self._ask("GET", f"/provider-events/{id}/body", query={"reason": reason})
        return made

    def replay_provider_event(self, id: str, body: Why, *, idempotency_key: str | None = None) -> ProviderEvent:
        """Have it handled anew; nothing is settled twice."""
        made: ProviderEvent = self._ask(
            "POST", f"/provider-events/{id}/replay", body=body, idempotency_key=idempotency_key
        )
        return made

    def list_endpoints(self, *, limit: int | None = None, after: str | None = None) -> ListedEndpoint:
        """Endpoints, in the order of their codes."""
        made: ListedEndpoint = self._ask("GET", "/endpoints", query={"limit": limit, "after": after})
        return made

    def add_endpoint(self, body: EndpointCreate, *, idempotency_key: str | None = None) -> EndpointSecret:
        """Have events posted to an address."""
        made: EndpointSecret = self._ask("POST", "/endpoints", body=body, idempotency_key=idempotency_key)
        return made

    def show_endpoint(self, id: str) -> Endpoint:
        """One endpoint."""
        made: Endpoint = self._ask("GET", f"/endpoints/{id}")
        return made

    def rotate_endpoint(
        self, id: str, body: RotateGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> EndpointSecret:
        """A new signing secret."""
        made: EndpointSecret = self._ask(
            "POST", f"/endpoints/{id}/rotate", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def turn_on_endpoint(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Endpoint:
        """It hears what it missed, and goes on."""
        made: Endpoint = self._ask(
            "POST", f"/endpoints/{id}/on", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def turn_off_endpoint(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Endpoint:
        """It hears nothing more."""
        made: Endpoint = self._ask(
            "POST", f"/endpoints/{id}/off", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def replay_events(
        self, id: str, body: ReplayGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Endpoint:
        """Deliver a range of events again."""
        made: Endpoint = self._ask(
            "POST", f"/endpoints/{id}/replay", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def set_endpoint_contact(
        self, id: str, body: ContactGiven, *, idempotency_key: str | None = None, version: int | None = None
    ) -> Endpoint:
        """Who is told by mail when it goes off."""
        made: Endpoint = self._ask(
            "POST", f"/endpoints/{id}/contact", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def test_endpoint(
        self, id: str, body: Why, *, idempotency_key: str | None = None, version: int | None = None
    ) -> EndpointTested:
        """Post one event of the topic endpoint.test now."""
        made: EndpointTested = self._ask(
            "POST", f"/endpoints/{id}/test", body=body, idempotency_key=idempotency_key, version=version
        )
        return made

    def list_deliveries(self, id: str, *, limit: int | None = None, after: str | None = None) -> ListedDelivery:
        """What it was to hear of, newest first."""
        made: ListedDelivery = self._ask("GET", f"/endpoints/{id}/deliveries", query={"limit": limit, "after": after})
        return made
