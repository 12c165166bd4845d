"""What must be true of a life after each step, and in its end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from sqlalchemy import text

from billing.db.clock import wall_now
from billing.documents.nets import nets
from billing.flows import audit, customer_page, links
from billing.flows.audit_report import Violation
from billing.flows.documents import document_facts
from billing.kernel.work import WorkKind
from billing.models import Invoice
from billing.queries.books.report import Report
from billing.queries.books.reports import aging_report, deferred_report
from billing.queries.books.tax import tax_report
from billing.queries.books.trial_balance import trial_balances
from billing.sandbox.stripe.money import MINIMUMS
from tests.flows.company import START
from tests.flows.life import Life
from tests.flows.life_of_wallets import witness_of

_DAY = timedelta(days=1)
NEVER = (
    WorkKind.SUBSCRIPTION_NOT_BILLED, WorkKind.EVENT_NOT_HANDLED, WorkKind.INVARIANT_BROKEN, WorkKind.WITNESS_DISAGREES,
    WorkKind.TASK_FAILED, WorkKind.MESSAGE_UNROUTABLE, WorkKind.MESSAGE_UNREADABLE, WorkKind.PROVIDER_REFUSES_ACCOUNT,
    WorkKind.CHARGE_WITHOUT_ATTEMPT, WorkKind.CHARGE_OF_LOST_INVOICE, WorkKind.CHARGE_UNEXPLAINED,
    WorkKind.CHARGE_DIFFERS, WorkKind.ATTEMPT_WITHOUT_CHARGE, WorkKind.MOVEMENT_DIFFERS, WorkKind.REFUND_WITHOUT_RECORD,
    WorkKind.REFUND_DIFFERS, WorkKind.REFUND_MISSING, WorkKind.DISPUTE_WITHOUT_RECORD, WorkKind.DISPUTE_DIFFERS,
    WorkKind.DISPUTE_MISSING, WorkKind.CUSTOMER_QUARANTINED,
)  # fmt: skip
"""What nobody in a life gives cause for."""

_CAME_IN = text(
    """
    SELECT customer_ref, currency, coalesce(sum(amount_minor) FILTER (WHERE status = 'succeeded'), 0) AS came,
        count(*) FILTER (WHERE closed_at IS NULL) AS under_way
    FROM billing.payment GROUP BY 1, 2
    """
)
_GAPS = text(
    """
    SELECT subscription_id, anchor_no, period_no FROM (
        SELECT p.*, lag(coalesce(cut_at, ends_at)) OVER w AS before, lag(anchor_no) OVER w AS anchor_before
        FROM billing.billing_period p WINDOW w AS (PARTITION BY subscription_id ORDER BY anchor_no, starts_at)
    ) AS p
    WHERE before IS NOT NULL AND before > starts_at OR anchor_before = anchor_no AND before <> starts_at
    """
)
_FORWARDED = text(
    """
    WITH held AS (
        SELECT i.*, greatest(0, amount_paid_minor + credit_applied_minor + amount_carried_forward_minor
                                - brought_forward_minor) AS held_minor
        FROM billing.invoice i WHERE number IS NOT NULL
    ), handed AS (
        -- A document in place of one that was carried forward is carried forward by that.
        SELECT new.id, greatest(0, least(old.held_minor, new.amount_due_minor)
                                   - greatest(0, old.held_minor - old.amount_carried_forward_minor)) AS minor
        FROM held new JOIN held old ON old.id = new.corrects_id AND old.status = 'replaced'
        WHERE new.kind = 'invoice'
    ), asked AS (
        SELECT profile_id, currency, sum(amount_carried_forward_minor - coalesce(handed.minor, 0)
            - brought_forward_minor + CASE status
                WHEN 'void' THEN brought_forward_minor
                WHEN 'replaced' THEN greatest(0, brought_forward_minor - amount_paid_minor - credit_applied_minor
                                                 - amount_carried_forward_minor)
                ELSE 0 END) AS amount
        FROM held LEFT JOIN handed USING (id) GROUP BY 1, 2
    ), given_up AS (
        SELECT e.profile_id, p.currency, -sum(p.amount_minor) AS amount
        FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id
        WHERE e.kind = 'write_off' AND p.account = 'carried_forward' GROUP BY 1, 2
    )
    SELECT profile_id, currency, a.amount, g.amount, b.carried_forward_minor
    FROM asked a FULL JOIN given_up g USING (profile_id, currency)
    FULL JOIN billing.credit_balance b USING (profile_id, currency)
    WHERE coalesce(b.carried_forward_minor, 0) <> coalesce(a.amount, 0) - coalesce(g.amount, 0)
    """
)
_TOO_LITTLE = text(
    "SELECT DISTINCT a.provider, p.currency, p.amount_minor FROM billing.payment p JOIN billing.provider_account a "
    "ON a.id = p.provider_account_id WHERE p.kind <> 'adopted'"
)
_LEAST = {"stripe": MINIMUMS, "paypal": {}}
_STILL_ACCRUED = text(
    """
    SELECT seller_id, currency, month, sum(amount) FROM (
        SELECT e.seller_id, p.currency, p.amount_minor AS amount,
            date_trunc('month', e.booked_on - CASE WHEN extract(day FROM e.booked_on) = 1 THEN 1 ELSE 0 END) AS month
        FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id
        WHERE p.account = 'unbilled_receivable') AS accrued
    GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
    """
)


def untrue(life: Life) -> list[object]:
    """What is not as it must be now."""
    told = unbooked(life) if life.quiet else []
    return [
        *broken(life),
        *unexpected(life),
        *told,
        *gaps(life),
        *unshown(life),
        *unforwarded(life),
        *still_accrued(life),
    ]


def broken(life: Life) -> list[object]:
    """What does not tie, on any day so far."""
    last = life.acme.now().date() + _DAY
    days = [START.date() + place * _DAY for place in range((last - START.date()).days + 1)][::-7]
    months = sorted({day.replace(day=1) for day in days})
    with life.acme.begin() as session:
        reports: list[Report] = [tax_report(session, month=month) for month in months]
        for day in days:
            reports += [aging_report(session, as_of=day), deferred_report(session, as_of=day)]
        off = [each for each in trial_balances(session, as_of=last) if each.difference_minor]
    return [*off, *((each.name, each.ties) for each in reports if each.broken)]


def unexpected(life: Life) -> list[object]:
    """Work that nobody gave cause for."""
    return [
        (each.kind, each.summary, each.error, (each.trace or "")[-1500:])
        for each in life.acme.work_items()
        if each.status == "open" and each.kind in NEVER
    ]


def unbooked(life: Life) -> list[object]:
    """Customers of whom the provider took another amount than our attempts say."""
    witnessed: Counter[tuple[str, str]] = Counter()
    for charge in witness_of(life).charges():
        if charge.status == "succeeded":
            witnessed[charge.customer_ref or "", charge.currency] += charge.amount_minor
    with life.acme.begin() as session:
        rows = session.execute(_CAME_IN).all()
    ours = Counter({(row.customer_ref, row.currency): int(row.came) for row in rows})
    # What was lost on its way is asked for later.
    for row in rows:
        if row.under_way:
            del ours[row.customer_ref, row.currency], witnessed[row.customer_ref, row.currency]
    return [("charged", key, witnessed[key], ours[key]) for key in witnessed | ours if witnessed[key] != ours[key]]


def gaps(life: Life) -> list[object]:
    """Periods that overlap, or leave time between them."""
    with life.acme.begin() as session:
        return [tuple(row) for row in session.execute(_GAPS)]


def unforwarded(life: Life) -> list[object]:
    """Small debts that are neither carried forward nor brought nor given up, and tries to charge less than is taken."""
    with life.acme.begin() as session:
        tried = session.execute(_TOO_LITTLE).all()
        lost: list[object] = [("forwarded", *row) for row in session.execute(_FORWARDED)]
    named = life.acme.parts.settings.least_charges
    little = (row for row in tried if row.amount_minor < {**_LEAST[row.provider], **named}.get(row.currency, 0))
    return [*lost, *(("little", *row) for row in little)]


def still_accrued(life: Life) -> list[object]:
    """Months whose accrual is not taken back by the next morning."""
    with life.acme.begin() as session:
        return [("accrued", *row) for row in session.execute(_STILL_ACCRUED)]


def unshown(life: Life) -> list[object]:
    """Customers whose page asks for another amount than their invoices that wait for money come to."""
    found: list[object] = []
    for whom in life.profiles:
        with life.acme.parts.begin() as session:
            token = links.profile_link(life.acme.parts, session, whom).rpartition("/")[2]
        shown = customer_page.show(life.acme.parts, token)
        owed: Counter[str] = Counter()
        for each in shown.bills:
            if each.state == "open":
                owed[each.currency] += each.amount_minor
        if owed != shown.totals or any(amount < 0 for amount in owed.values()):
            found.append(("page", whom, owed, shown.totals))
    return found


def audited(life: Life) -> tuple[Violation, ...]:
    """What the audit finds, with the books of both stand-ins as its witness, and where it looks at what is new only."""
    since = life.audited_to
    with life.acme.begin() as session:
        life.audited_to = wall_now(session)
    recent = audit.run(life.acme.parts, since=since) if since else None
    return audit.run(life.acme.parts, witness=witness_of(life)).violations + (recent.violations if recent else ())


def misstated(life: Life) -> list[Invoice]:
    """Documents whose lines or rates don't add up to what they say."""
    found = []
    for each in life.acme.invoices():
        facts, net = document_facts(life.acme.parts, each.id), each.total_minor - each.tax_minor
        said = sum(group.base_minor for group in facts.tax_groups), sum(nets(facts)) if facts.lines else net
        if said != (net, net) or sum(group.tax_minor for group in facts.tax_groups) != each.tax_minor:
            found.append(each)
    return found
