"""Two ask for the same name, or tell of the same thing, at once: the second is told so by a code, or counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.difference.note import note_difference
from billing.commands.endpoint.create import create_endpoint
from billing.commands.operator.add import add_operator
from billing.commands.payment_method.adopt import Adopted, adopt_methods
from billing.commands.payment_method.begin import begin_method
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.models import Difference
from billing.queries.reconciling import Found
from billing.rules.permission import Role
from billing.validators.endpoint import NewEndpoint
from billing.validators.payment_method import Consent
from tests.flows.company import START, Company
from tests.flows.test_lock_order import ends, waiting

Ask = Callable[[Session, UUID], object]
"""By a transaction, for one customer or another."""


def an_endpoint(acme: Company) -> Ask:
    new = NewEndpoint("shop", "https://shop.example.com/hooks")
    return lambda session, _: create_endpoint(session, acme.parts.keyring, seller_id=acme.seller_id, new=new)


def an_operator(_: Company) -> Ask:
    return lambda session, _: add_operator(session, name="ada", role=Role.VIEWER)


def a_method(acme: Company) -> Ask:
    method_id, consent = new_id(), Consent(text_version="v1", given_at=START, channel="web")
    return lambda session, profile_id: begin_method(
        session,
        method_id=method_id,
        profile_id=profile_id,
        provider_account_id=acme.account_id,
        kind="card",
        consent=consent,
        now=START,
    )


def a_customer_of_the_provider(acme: Company) -> Ask:
    return lambda session, profile_id: adopt_methods(
        session,
        seller_id=acme.seller_id,
        provider_account_id=acme.account_id,
        adopted=[Adopted(profile_id, "cus_1", None, None, None)],
        now=START,
    )


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (a_customer_of_the_provider, "customer_of_another_account"),
        (an_endpoint, "endpoint_code_taken"),
        (an_operator, "operator_name_taken"),
        (a_method, "payment_method_id_taken"),
    ],
)
def test_the_second_of_two_at_once_is_refused_by_the_code_of_what_is_taken(
    acme: Company, asked: Callable[[Company], Ask], code: str
) -> None:
    ask, first, second = asked(acme), acme.customer("a1", method=None), acme.customer("a2", method=None)

    def after_it() -> None:
        with acme.parts.begin() as session:
            ask(session, second)

    with acme.parts.begin() as session:
        ask(session, first)
        with waiting(acme, after_it) as running:
            session.commit()
            with pytest.raises(Refused) as refused:
                ends(running)
    assert refused.value.code == code


def test_a_difference_that_two_find_at_once_is_one_and_counted_twice(acme: Company) -> None:
    found = Found("charge_differs", "ch_1", None, acme.seller_id, None, None, None, None, "another amount", lost=False)

    def note(session: Session) -> None:
        note_difference(session, found, provider_account_id=acme.account_id, now=START)

    def after_it() -> Any:
        with acme.parts.begin() as session:
            note(session)

    with acme.parts.begin() as session:
        note(session)
        with waiting(acme, after_it) as running:
            session.commit()
            ends(running)
    with acme.begin() as session:
        (difference,) = session.scalars(select(Difference)).all()
    assert [(item.id, item.tries) for item in acme.work_items()] == [(difference.work_item_id, 2)]
