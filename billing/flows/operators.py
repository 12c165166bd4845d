"""Who may enter the console: added, given a role, switched off and on, given new credentials. Each is in the trail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.commands.operator.add import add_operator
from billing.commands.operator.credentials import Credentials, renew_credentials
from billing.commands.operator.end_sessions import end_sessions
from billing.db.base import Json
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.models import Operator
from billing.queries.operator import lock_operator
from billing.rules.permission import Role


@dataclass(frozen=True, slots=True)
class Admitted:
    """What was done, and credentials that are told this once; None for who comes in by the proxy."""

    done: Done
    credentials: Credentials | None


def add(parts: Parts, *, name: str, role: Role, with_password: bool, order: Order) -> Admitted:
    """A new operator. Raises `Refused`: `operator_name_shape`, `operator_name_taken`."""
    with carry_out(parts, order) as session:
        operator = add_operator(session, name=name, role=role)
        made = renew_credentials(session, parts.keyring, operator=operator) if with_password else None
        _note(parts, session, order, operator, action="operator.add", before={})
        return Admitted(Done(operator.id, name, changed=True, told=f"may come in as {role.value}"), made)


def reset(parts: Parts, *, name: str, order: Order) -> Admitted:
    """A new password and second factor; sessions end. Raises `Refused` (`operator_not_found`)."""
    with _changing(parts, name, order, action="operator.reset") as (session, operator):
        made = renew_credentials(session, parts.keyring, operator=operator)
        return Admitted(Done(operator.id, name, changed=True, told="has a new password and second factor"), made)


def set_role(parts: Parts, *, name: str, role: Role, order: Order) -> Done:
    """Another role; sessions end. Raises `Refused` (`operator_not_found`)."""
    with _changing(parts, name, order, action="operator.role") as (session, operator):
        if operator.role == role:
            return Done(operator.id, name, changed=False, told=f"is {role.value} already; nothing was changed")
        operator.role = role
        end_sessions(session, operator_id=operator.id)
        return Done(operator.id, name, changed=True, told=f"is {role.value} from the next login on")


def switch(parts: Parts, *, name: str, on: bool, order: Order) -> Done:
    """Let them in again, or no more: then sessions end at once. Raises `Refused` (`operator_not_found`)."""
    status = "on" if on else "off"
    with _changing(parts, name, order, action=f"operator.{status}") as (session, operator):
        if operator.status == status:
            return Done(operator.id, name, changed=False, told=f"is {status} already; nothing was changed")
        operator.status = status
        end_sessions(session, operator_id=operator.id)
        return Done(operator.id, name, changed=True, told="may come in again" if on else "comes in no more")


@contextmanager
def _changing(parts: Parts, name: str, order: Order, *, action: str) -> Iterator[tuple[Session, Operator]]:
    with carry_out(parts, order) as session:
        operator = lock_operator(session, name)
        before = _state(operator)
        yield session, operator
        session.flush()
        _note(parts, session, order, operator, action=action, before=before)


def _note(parts: Parts, session: Session, order: Order, operator: Operator, *, action: str, before: Json) -> None:
    note(
        parts,
        session,
        order,
        action=action,
        subject_type="operator",
        subject_id=operator.id,
        seller_id=None,
        before=before,
        after=_state(operator),
    )


def _state(operator: Operator) -> Json:
    return {"name": operator.name, "role": operator.role, "status": operator.status}
