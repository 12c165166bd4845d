"""Seeds for what lines charge, and for what no line charges: R4."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from billing.kernel.ids import new_id
from billing.models import InvoiceLine, Price, UsageRecord
from tests import builders
from tests.audit.seeds import Accused, Planting, seed


def _used(planting: Planting, line: InvoiceLine, quantity: int) -> UUID:
    """A record of the line's period, though no line of the kind stands there. Returns the subscription."""
    row = UsageRecord(
        id=new_id(),
        seller_id=line.seller_id,
        subscription_id=planting.world.running.id,
        price_id=line.price_id,
        record_id="one",
        quantity=Decimal(quantity),
        used_at=line.period_start,
        counts_at=line.period_start,
    )
    return builders.add(planting.session, row).subscription_id


def _metered(planting: Planting, quantity: int) -> Accused:
    line = planting.line(planting.world.paid)
    _used(planting, line, quantity)
    planting.run("UPDATE billing.price SET usage = 'sum' WHERE id = :id", id=line.price_id)
    planting.run("UPDATE billing.invoice_line SET kind = 'usage' WHERE id = :id", id=line.id)
    return "invoice", str(planting.world.paid.id)


@seed("R4", "N4", "N6")
def a_line_charges_another_price_than_its_own(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice_line SET unit_amount = unit_amount * 2 WHERE id = :id",
        id=planting.line(planting.world.paid).id,
    )
    return "invoice", str(planting.world.paid.id)


@seed("R4", "N4")
def a_line_charges_more_than_was_used(planting: Planting) -> Accused:
    return _metered(planting, 1)


@seed("R4", "N4")
def a_line_charges_less_than_was_used(planting: Planting) -> Accused:
    return _metered(planting, 3)


@seed("R4", "N4")
def what_was_used_stands_on_two_lines_each_of_which_is_right_alone(planting: Planting) -> Accused:
    _metered(planting, 2)
    planting.run(
        "UPDATE billing.invoice_line l SET kind = 'usage', price_id = o.price_id, period_start = o.period_start, "
        "period_end = o.period_end FROM billing.invoice_line o WHERE l.id = :id AND o.id = :other",
        id=planting.line(planting.world.open).id,
        other=planting.line(planting.world.paid).id,
    )
    return "subscription", str(planting.world.running.id)


@seed("R4")
def what_was_used_in_a_closed_period_is_never_charged(planting: Planting) -> Accused:
    return "subscription", str(_used(planting, planting.line(planting.world.recovered), 7))


@seed("R4")
def what_was_used_of_an_item_that_went_is_never_charged(planting: Planting) -> Accused:
    line = planting.line(planting.world.recovered)
    planting.run(
        "WITH gone AS (DELETE FROM billing.subscription_item WHERE subscription_id = :id AND price_id = :price "
        "RETURNING id, seller_id, subscription_id, price_id, quantity, counts_from) "
        "INSERT INTO billing.past_item SELECT gone.*, :ended FROM gone",
        id=planting.world.running.id,
        price=line.price_id,
        ended=line.period_end,
    )
    return "subscription", str(_used(planting, line, 7))


@seed("R4")
def an_item_of_the_subscription_is_charged_by_half(planting: Planting) -> Accused:
    line = planting.line(planting.world.open)
    planting.run(
        "UPDATE billing.subscription_item SET quantity = 4 WHERE subscription_id = :id AND price_id = :price",
        id=planting.world.running.id,
        price=line.price_id,
    )
    return "subscription", str(planting.world.running.id)


@seed("R4", "N4")
def an_item_that_stands_was_left_out_of_an_earlier_period(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice_line SET kind = 'one_off' WHERE id = :id", id=planting.line(planting.world.paid).id
    )
    return "subscription", str(planting.world.running.id)


@seed("R4", "N4", "N6")
def an_earlier_period_was_charged_for_fewer_than_there_were(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice_line SET quantity = 1 WHERE id = :id", id=planting.line(planting.world.paid).id
    )
    return "subscription", str(planting.world.running.id)


def _at_another_price(planting: Planting, changes: str) -> Accused:
    price = planting.session.get_one(Price, planting.line(planting.world.paid).price_id)
    planting.run(f"UPDATE billing.price SET {changes} WHERE id = :id", id=price.id)
    return "invoice", str(planting.world.paid.id)


@seed("R4")
def packages_of_three_are_charged_as_if_of_one(planting: Planting) -> Accused:
    return _at_another_price(planting, "model = 'package', package_size = 3")


@seed("R4")
def the_second_unit_is_charged_in_the_tier_of_the_first(planting: Planting) -> Accused:
    tiers = '[{"up_to": "1", "unit": "1250"}, {"up_to": null, "unit": "1000"}]'
    return _at_another_price(planting, f"model = 'graduated', unit_amount = NULL, tiers = '{tiers}'")


@seed("R4")
def all_units_are_charged_in_a_tier_that_they_passed(planting: Planting) -> Accused:
    tiers = '[{"up_to": "1", "unit": "1250"}, {"up_to": null, "unit": "1000"}]'
    return _at_another_price(planting, f"model = 'volume', unit_amount = NULL, tiers = '{tiers}'")


_SHARED = """
    UPDATE billing.invoice_line SET how = how || jsonb_build_object(
        'proration', 'charge', 'base_numerator', CAST(:base AS integer), 'base_denominator', 1,
        'left', seconds - CAST(:less AS integer), 'whole', seconds, 'time_unit', 'second',
        'whole_from', period_start, 'whole_to', period_end, 'zone', 'UTC')
    FROM (SELECT extract(epoch FROM period_end - period_start)::int AS seconds
          FROM billing.invoice_line WHERE id = :id) AS line
    WHERE id = :id
"""


@seed("R4")
def a_share_is_taken_of_another_amount_than_the_price_gives(planting: Planting) -> Accused:
    planting.run(_SHARED, id=planting.line(planting.world.paid).id, base=2501, less=0)
    return "invoice", str(planting.world.paid.id)


@seed("R4")
def a_share_is_of_another_time_than_the_line(planting: Planting) -> Accused:
    planting.run(_SHARED, id=planting.line(planting.world.paid).id, base=2500, less=1)
    return "invoice", str(planting.world.paid.id)


@seed("R4")
def a_share_by_days_is_of_another_day_than_the_line(planting: Planting) -> Accused:
    line = planting.line(planting.world.paid)
    planting.run(_SHARED, id=line.id, base=2500, less=0)
    planting.run(
        """UPDATE billing.invoice_line SET how = how || '{"left": 2, "whole": 2, "time_unit": "day"}' WHERE id = :id""",
        id=line.id,
    )
    return "invoice", str(planting.world.paid.id)
