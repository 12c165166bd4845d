"""Tax ids: the register is asked whether a customer's VAT number is registered, with no transaction open.

That it does not answer is no answer: it is asked again, and the setting says whether sales wait meanwhile.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from sqlalchemy import Row

from billing.commands.profile.confirm_tax_id import confirm_tax_id
from billing.flows.parts import Parts
from billing.kernel.errors import Refused, Stale, Unavailable
from billing.kernel.failpoints import failpoint
from billing.privacy.sealed import SealBroken
from billing.queries.profile import open_personal
from billing.queries.tax_id import ask_later, claim_unasked
from billing.registers.vat import Question, VatRegister
from billing.rules.tax import EU
from billing.validators.tax_id import read_tax_id

_log = structlog.get_logger(__name__)

BATCH = 20
"""Asked about in a round, one after the other; the next tick goes on."""
AGAIN_S = 900.0
"""Until the next try where nobody answered."""
ROUND_S = 60.0
"""Wall seconds after which a round asks no more: what else this tick does is not held up by slow answers."""
PATIENCE = 3
"""So many without an answer in a row, and the others are left for the next round."""


def ask_register(parts: Parts) -> int:
    """Ask about numbers that nobody was asked about yet. Returns how many answers were recorded."""
    register = parts.vat_register
    if register is None:
        return 0
    with parts.begin() as session:
        # For the whole batch, each as slow as the register may be.
        lease_s = BATCH * 2 * parts.settings.read_timeout_s
        rows = claim_unasked(session, lease_s=lease_s, most=BATCH)
    answered = silent = 0
    end = time.monotonic() + ROUND_S
    for row in rows:
        if silent >= PATIENCE or time.monotonic() > end:
            # Due at once: those that were asked about wait longer, so that one state's silence holds up no other's.
            _later(parts, row, pause_s=0)
        elif _ask(parts, register, row):
            answered, silent = answered + 1, 0
        else:
            silent += 1
    return answered


def _ask(parts: Parts, register: VatRegister, row: Row[Any]) -> bool:
    try:
        answer = register.ask(_question(parts, row))
    except (Unavailable, SealBroken, Refused) as away:
        _log.warning("tax_id_not_confirmed", profile=str(row.id), error=str(away))
        _later(parts, row, pause_s=AGAIN_S)
        return False
    failpoint("tax_id.answered")
    try:
        with parts.begin() as session:
            confirm_tax_id(
                session,
                profile_id=row.id,
                asked=row.tax_id_check,
                source=register.source,
                valid=answer.valid,
                reference=answer.reference,
                code=answer.code,
                now=parts.clock.now(session),
            )
    except Stale:
        _log.info("late_answer_dropped", profile=str(row.id))
    return True


def _question(parts: Parts, row: Row[Any]) -> Question:
    """Of the number as it is kept, opened here and nowhere else, by the seller where it has a number of the Union."""
    key = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.key_id)
    personal = open_personal(row.personal, key=key, profile_id=row.id)
    number = read_tax_id(personal.tax_id or "", country=row.country).value
    own = read_tax_id(row.seller_tax_id or "", country=row.seller_country)
    return Question(number, own.value if own.valid and own.country in EU else None)


def _later(parts: Parts, row: Row[Any], *, pause_s: float) -> None:
    with parts.begin() as session:
        ask_later(session, row.id, pause_s=pause_s)
