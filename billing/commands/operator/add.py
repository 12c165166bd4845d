"""Add an operator, without a password yet."""

from __future__ import annotations

import re

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.models import Operator
from billing.rules.permission import Role

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")


def add_operator(session: Session, *, name: str, role: Role) -> Operator:
    """Raises `Refused`: `operator_name_shape`, `operator_name_taken`."""
    if not _NAME.fullmatch(name):
        mend = "give up to 100 lower-case letters, digits and . _ @ + -, a letter or digit first"
        raise Refused(Fault("name", "operator_name_shape", mend))
    row = insert(Operator).values(id=new_id(), name=name, role=role, status="on", version=1)
    once = row.on_conflict_do_nothing(index_elements=[Operator.name])
    operator = session.scalars(once.returning(Operator)).one_or_none()
    if operator is None:
        mend = "there is one of that name; `billing operator enable` lets one in again that was disabled"
        raise Refused(Fault("name", "operator_name_taken", mend))
    return operator
