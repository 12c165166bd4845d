"""Benches: what they seed is billed whole, and a slice costs a fixed number of statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from billing.flows import renewal
from billing.sandbox.bench import api, usage
from billing.sandbox.bench.company import DUE, set_clock
from billing.sandbox.bench.figures import Spread
from billing.sandbox.bench.mixed import EACH_KIND, seed_mixed
from billing.sandbox.bench.scratch import Scratch, cut_slices, opened, parts_of, statements_of


@pytest.fixture
def made(database_url: str) -> Iterator[Scratch]:
    with opened(database_url) as scratch:
        yield scratch


def test_the_statements_of_a_mixed_slice_do_not_grow_with_it(made: Scratch) -> None:
    seed_mixed(made.engine, made.keyring, due=6 * EACH_KIND, records=3)
    set_clock(made.engine, DUE)
    with parts_of(made) as parts:
        warm, small = cut_slices(parts, made.engine, first=0, most=2 * EACH_KIND, size=EACH_KIND)
        (large,) = cut_slices(parts, made.engine, first=2 * EACH_KIND, most=4 * EACH_KIND, size=4 * EACH_KIND)
        assert renewal.bill(parts, warm) == EACH_KIND
        assert statements_of(parts, small) == statements_of(parts, large)


def test_a_mixed_company_is_billed_with_some_of_everything(made: Scratch) -> None:
    seed_mixed(made.engine, made.keyring, due=EACH_KIND, records=3)
    set_clock(made.engine, DUE)
    with parts_of(made) as parts:
        (slice_id,) = cut_slices(parts, made.engine, first=0, most=EACH_KIND, size=EACH_KIND)
        assert renewal.bill(parts, slice_id) == EACH_KIND
    with made.engine.connect() as connection:
        kinds = Counter(connection.execute(text("SELECT kind FROM billing.invoice_line")).scalars())
        row = connection.execute(
            text(
                """
                SELECT count(*) FILTER (WHERE discount_minor > 0) AS discounted,
                       count(*) FILTER (WHERE credit_applied_minor > 0) AS credited,
                       count(*) FILTER (WHERE reverse_charge) AS reverse_charge,
                       count(*) FILTER (WHERE kind = 'invoice') AS invoices
                FROM billing.invoice
                """
            )
        ).one()
        used = connection.execute(text("SELECT min(quantity) FROM billing.invoice_line WHERE kind = 'usage'"))
        assert used.scalar_one() > 0
    assert kinds == {
        "recurring": EACH_KIND + EACH_KIND // 2,
        "usage": EACH_KIND,
        "proration_credit": EACH_KIND // 4,
        "proration_charge": EACH_KIND // 4,
    }
    assert (row.discounted, row.credited, row.invoices) == (EACH_KIND // 3, EACH_KIND // 5, EACH_KIND)
    assert row.reverse_charge > 0


def test_the_usage_bench_writes_each_record_once(made: Scratch) -> None:
    seller = seed_mixed(made.engine, made.keyring, due=10, records=0)
    with parts_of(made) as parts:
        figures = usage.measure(parts, seller, batches=2, subscriptions=10, size=50)
    with made.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM billing.usage_record")).scalar_one() == 150
    assert figures["records_a_second"]["median"] > 0


def test_a_spread_names_the_middle_and_both_ends() -> None:
    spread = Spread.of([3.0, 1.0, 2.0])
    assert spread.told() == "2 (1 to 3)"
    assert spread.as_json() == {"median": 2.0, "lowest": 1.0, "highest": 3.0}


def test_the_api_is_measured_over_a_small_and_a_larger_table(made: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_SUBSCRIPTIONS", 20)
    figures = api.measure(made, sizes=(100, 300), seconds=0, told=lambda _: None)
    assert set(figures) == {"create subscription", "preview a change", "list invoices", "list open invoices"}
    assert all(figures[name]["300"]["requests_a_second"] > 0 for name in figures)
