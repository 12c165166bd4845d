"""Reverse charge needs a number that its register knows; that nobody answers is no answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from billing.commands.profile.change import change_profile
from billing.commands.profile.create import create_profile, create_profiles
from billing.flows import drafts, renewal, tax_ids, upkeep
from billing.flows.tax_ids import PATIENCE, ask_register
from billing.models import DataKey, Invoice, Profile
from billing.privacy.sealed import unseal
from billing.providers.road import Road
from billing.registers.vat import Vies
from billing.sandbox.registers import Registers, registers
from billing.validators.address import Address
from billing.validators.profile import NewProfile, Personal, ProfileChange
from tests.flows.company import Company

NUMBER, OTHER = "FR23334175221", "FR40303265045"


@pytest.fixture
def vies() -> Iterator[Registers]:
    with registers() as made:
        yield made


@pytest.fixture
def paris(acme: Company, vies: Registers) -> Company:
    """A German seller and a French business, billed while nobody has confirmed its number."""
    acme.parts = replace(acme.parts, vat_register=Vies(Road(connect_s=2, read_s=2).send, base=vies.url))
    personal = Personal("Société X", "x@example.com", Address("1, rue Y", city="Paris"), NUMBER)
    with acme.parts.begin() as session:
        create_profile(
            session,
            acme.parts.keyring,
            seller_id=acme.seller_id,
            new=NewProfile("a1", "FR", personal, buyer_kind="business"),
            now=acme.parts.clock.now(session),
        )
    acme.subscribe("a1", "s1")
    return acme


def bill(acme: Company) -> Invoice:
    renewal.plan(acme.parts)
    acme.run_messages()
    with acme.parts.begin() as session:
        return session.scalars(select(Invoice)).one()


def profile(acme: Company) -> Profile:
    with acme.parts.begin() as session:
        return session.scalars(select(Profile)).one()


def in_time(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.profile SET tax_id_ask_at = clock_timestamp()"))


def test_an_invoice_waits_until_the_number_is_confirmed_and_freezes_the_consultation(
    paris: Company, vies: Registers
) -> None:
    vies.numbers, vies.down = {NUMBER}, "MS_UNAVAILABLE"
    draft = bill(paris)
    assert (draft.status, draft.reverse_charge) == ("draft", True)
    assert "buyer.tax_id (art. 196)" in str(paris.work_items()[0].error)
    # Nobody answers: nothing is known, and nothing is decided.
    assert ask_register(paris.parts) == 0
    assert (profile(paris).has_tax_id, ask_register(paris.parts), len(vies.asked)) == (True, 0, 1)
    vies.down = None
    in_time(paris)
    assert ask_register(paris.parts) == 1
    assert vies.asked[-1] == {
        "countryCode": "FR", "vatNumber": NUMBER[2:], "requesterMemberStateCode": "DE", "requesterNumber": "123456788",
    }  # fmt: skip
    assert drafts.sweep(paris.parts) == 1
    issued = bill(paris)
    with paris.parts.begin() as session:
        row = session.get_one(DataKey, issued.document_key_id)
        key = paris.parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id)
    frozen = json.loads(unseal(key, issued.parties, table="invoice", row=issued.id, column="parties"))
    assert frozen["tax_id_check"]["register"] == {
        "valid": True, "source": "VIES", "reference": "WAPIAAAAX0000002", "at": "2026-01-31T00:00:00Z",
    }  # fmt: skip
    assert ask_register(paris.parts) == 0
    assert paris.violations() == ()


def test_a_number_that_nobody_registered_reverses_no_charge_and_is_a_persons_work(
    paris: Company, vies: Registers
) -> None:
    draft = bill(paris)
    assert ask_register(paris.parts) == 1
    assert profile(paris).has_tax_id is False
    assert drafts.sweep(paris.parts) == 0
    assert draft.number is None
    kinds = {item.kind: item.error for item in paris.work_items()}
    assert set(kinds) == {"invoice_incomplete", "tax_id_refused"}
    assert "VIES knows no such number" in str(kinds["invoice_incomplete"])


@pytest.mark.parametrize("number", [None, "DE136695976", OTHER])
def test_the_work_of_a_refused_number_ends_with_that_number_unless_another_is_to_be_confirmed(
    paris: Company, vies: Registers, number: str | None
) -> None:
    vies.numbers = {OTHER}
    ask_register(paris.parts)
    personal = Personal("Société X", "x@example.com", Address("1, rue Y", city="Paris"), number)
    with paris.parts.begin() as session:
        change_profile(
            session,
            paris.parts.keyring,
            profile_id=profile(paris).id,
            change=ProfileChange("FR", personal, "Europe/Paris", "business"),
            now=paris.parts.clock.now(session),
        )
    upkeep.close_gone_work(paris.parts)
    waits = number == OTHER
    assert [item.status for item in paris.work_items()] == ["open" if waits else "resolved"]
    assert ask_register(paris.parts) == waits
    assert [item.status for item in paris.work_items()] == ["resolved"]


def test_a_number_that_vies_takes_for_none_is_asked_about_once_and_is_a_persons_work(
    paris: Company, vies: Registers
) -> None:
    vies.down = "INVALID_INPUT"
    bill(paris)
    assert ask_register(paris.parts) == 1
    # Which of the two numbers was meant, it does not say: the second time the seller's own is left out.
    assert ["requesterNumber" in each for each in vies.asked] == [True, False]
    check = profile(paris).tax_id_check
    assert check is not None
    assert (profile(paris).has_tax_id, check["register"]["valid"]) == (False, False)
    (refused,) = (item for item in paris.work_items() if item.kind == "tax_id_refused")
    assert "VIES takes this for no VAT number" in refused.summary
    assert refused.error == "INVALID_INPUT"
    in_time(paris)
    assert (ask_register(paris.parts), len(vies.asked)) == (0, 2)


def test_a_customer_is_not_refused_for_its_sellers_number(paris: Company, vies: Registers) -> None:
    vies.numbers, vies.unknown_requester, vies.says_of_requester = {NUMBER}, True, "INVALID_INPUT"
    assert ask_register(paris.parts) == 1
    assert profile(paris).has_tax_id is True


def test_a_setting_lets_sales_go_on_while_nobody_answers(paris: Company, vies: Registers) -> None:
    vies.down = "MS_UNAVAILABLE"
    settings = paris.parts.settings.model_copy(update={"billing_vat_register_silent": "accept"})
    paris.parts = replace(paris.parts, settings=settings)
    assert bill(paris).number is not None


def test_an_answer_that_comes_after_the_customer_was_changed_is_dropped(paris: Company, vies: Registers) -> None:
    vies.numbers = {NUMBER}
    register = paris.parts.vat_register
    assert register is not None

    class Slow:
        source = "VIES"

        def ask(self, question: object) -> object:
            with paris.parts.begin() as session:
                session.execute(text('UPDATE billing.profile SET tax_id_check = tax_id_check || \'{"at": "later"}\''))
            return register.ask(question)  # type: ignore[arg-type]

    slow = replace(paris.parts, vat_register=Slow())  # type: ignore[arg-type]
    ask_register(slow)
    assert "register" not in (profile(paris).tax_id_check or {})


def test_one_states_silence_holds_up_no_other_states_numbers(paris: Company, vies: Registers) -> None:
    with paris.parts.begin() as session:
        create_profiles(
            session,
            paris.parts.keyring,
            seller_id=paris.seller_id,
            new=[
                NewProfile(f"b{no}", "FR", Personal("Société Y", tax_id=NUMBER), buyer_kind="business")
                for no in range(PATIENCE)
            ],
            now=paris.parts.clock.now(session),
        )
    vies.numbers, vies.down = {NUMBER}, "MS_UNAVAILABLE"
    assert (ask_register(paris.parts), len(vies.asked)) == (0, PATIENCE)
    vies.down = None
    assert ask_register(paris.parts) == 1, "the one that nobody was asked about is the next round's first"


def test_a_seller_whose_own_number_is_unknown_still_hears_of_its_customers(paris: Company, vies: Registers) -> None:
    vies.numbers, vies.unknown_requester = {NUMBER}, True
    assert ask_register(paris.parts) == 1
    check = profile(paris).tax_id_check
    assert check is not None
    assert (check["register"]["valid"], check["register"]["reference"]) == (True, None)


def test_a_round_ends_in_time_and_the_next_one_goes_on(
    paris: Company, vies: Registers, monkeypatch: pytest.MonkeyPatch
) -> None:
    vies.numbers = {NUMBER}
    with monkeypatch.context() as slow:
        slow.setattr(tax_ids, "ROUND_S", -1.0)
        assert (ask_register(paris.parts), vies.asked) == (0, [])
    assert ask_register(paris.parts) == 1
