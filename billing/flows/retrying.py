"""Retrying: how what a work item is about is tried again, by the kind of the item."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.brake.release import release_brake
from billing.commands.delivery.replay import revive
from billing.commands.e_invoice.close import send_again as send_structured_again
from billing.commands.endpoint.switch import switch_on_again
from billing.commands.invoice.unhold import lift_draft, lift_invoice
from billing.commands.notice.close import NOTICE_NOT_SENT, send_again
from billing.commands.payment.hasten import hasten_account, hasten_question
from billing.commands.profile.quarantine import QUARANTINED, lift_quarantine
from billing.commands.provider_event.replay import lock_event, replay_event
from billing.commands.subscription.unhold import lift_subscription
from billing.commands.work_item.close import close_for
from billing.db.clock import wall_now
from billing.flows import braking, canceling, detaching
from billing.flows.parts import Parts
from billing.flows.restoring import require_healed
from billing.kernel.work import WorkKind
from billing.models import Brake
from billing.queries.brakes import STOPPED
from billing.queries.payment_method import the_method
from billing.queue.names import (
    COLLECTIONS_RESOLVE,
    COLLECTIONS_TICK,
    DELIVERIES_TICK,
    DOCUMENTS_TICK,
    INBOX_PROCESS,
    NOTICES_TICK,
    RENEWALS_TICK,
    TaskName,
)


@dataclass(frozen=True, slots=True)
class Retry:
    """How items of one kind are tried again."""

    again: Callable[[Parts, Session, UUID], bool]
    """Change the subject's rows, locked; False where another try is under way already."""
    told: str
    nudge: TaskName | None = None
    names_subject: bool = False
    """The message carries the subject's id; else it wakes a sweep."""
    afterwards: Callable[[Parts, UUID], None] | None = None
    """What is left to do once the change is committed: a call to the provider."""


def _event(_: Parts, session: Session, event_id: UUID) -> bool:
    return replay_event(session, event=lock_event(session, event_id))


def _start_again(parts: Parts, session: Session, brake_id: UUID) -> bool:
    require_healed(session, session.get_one(Brake, brake_id))
    return release_brake(session, brake_id=brake_id, now=parts.clock.now(session))


def _detach(parts: Parts, method_id: UUID) -> None:
    with parts.begin() as session:
        method = the_method(session, method_id)
    detaching.detach(parts, method)


def _cancel(parts: Parts, invoice_id: UUID) -> None:
    if canceling.cancel_intents(parts, [invoice_id]):
        with parts.begin() as session:
            now = parts.clock.now(session)
            close_for(session, kind=WorkKind.INTENT_NOT_CANCELED, subject_id=invoice_id, now=now)


RETRIES: dict[str, Retry] = {
    "subscription_not_billed": Retry(
        again=lambda _, session, id_: lift_subscription(session, subscription_id=id_),
        told="its hold is lifted; the next sweep bills what is due",
        nudge=RENEWALS_TICK,
    ),
    "invoice_not_charged": Retry(
        again=lambda parts, session, id_: lift_invoice(session, invoice_id=id_, now=parts.clock.now(session)),
        told="its hold is lifted; the next sweep charges it",
        nudge=COLLECTIONS_TICK,
    ),
    WorkKind.INVOICE_NOT_ISSUED: Retry(
        again=lambda _, session, id_: lift_draft(session, invoice_id=id_),
        told="its hold is lifted; the next sweep issues it",
        nudge=RENEWALS_TICK,
    ),
    "payment_unknown": Retry(
        again=lambda _, session, id_: hasten_question(session, payment_id=id_, wall=wall_now(session)),
        told="the provider is asked again now",
        nudge=COLLECTIONS_RESOLVE,
    ),
    "event_not_handled": Retry(
        again=_event, told="it is put back and handled anew", nudge=INBOX_PROCESS, names_subject=True
    ),
    "provider_refuses_account": Retry(
        again=lambda _, session, id_: hasten_account(session, provider_account_id=id_),
        told="what waited for the account is due again now",
        nudge=COLLECTIONS_TICK,
    ),
    **{
        STOPPED[kind]: Retry(
            again=_start_again,
            told="it is started again; the next sweep catches up",
            nudge=sweep,
        )
        for kind, sweep in braking.SWEEPS.items()
    },
    QUARANTINED: Retry(
        again=lambda _, session, id_: lift_quarantine(session, profile_id=id_),
        told="the customer's hold is lifted; the next sweep bills and charges what is due",
        nudge=RENEWALS_TICK,
    ),
    NOTICE_NOT_SENT: Retry(
        again=lambda _, session, id_: send_again(session, notice_id=id_),
        told="the mail is sent again",
        nudge=NOTICES_TICK,
    ),
    WorkKind.E_INVOICE_NOT_SENT: Retry(
        again=lambda _, session, id_: send_structured_again(session, e_invoice_id=id_),
        told="it is handed to the transport again",
        nudge=DOCUMENTS_TICK,
    ),
    WorkKind.ENDPOINT_OFF: Retry(
        again=lambda _, session, id_: switch_on_again(session, endpoint_id=id_),
        told="it is on again, and gets what happened meanwhile",
        nudge=DELIVERIES_TICK,
    ),
    WorkKind.DELIVERIES_DEAD: Retry(
        again=lambda _, session, id_: revive(session, endpoint_id=id_),
        told="what was given up is tried again for three days",
        nudge=DELIVERIES_TICK,
    ),
    WorkKind.INTENT_NOT_CANCELED: Retry(
        again=lambda *_: True,
        told="the provider is told again to end it; then the next sweep tries the invoice",
        nudge=COLLECTIONS_TICK,
        afterwards=_cancel,
    ),
    detaching.NOT_DETACHED: Retry(
        again=lambda *_: True, told="the provider is told again that the method was removed", afterwards=_detach
    ),
}
"""By kind. A kind that is absent can't be tried again by its item: it is parked, or discarded once settled by hand."""
