"""What a host may do to the transaction that billing has joined, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

import billing
from billing.db.base import Base as Ours
from billing.models import Profile
from tests.flows.company import START, Company, company


class Base(DeclarativeBase):
    """The host's own tables: one has a name that one of ours has too."""


class HostsInvoice(Base):
    __tablename__ = "invoice"

    id: Mapped[str] = mapped_column(primary_key=True)


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as made:
        yield made


@pytest.fixture
def shop(acme: Company) -> billing.Billing:
    return billing.Billing(acme.parts, acme.seller_id)


@pytest.fixture
def engine(acme: Company) -> Iterator[Engine]:
    # The database's user is named as our schema is, and PostgreSQL looks into the schema of that name first.
    made = create_engine(acme.parts.settings.database_url or "", connect_args={"options": "-c search_path=public"})
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def _sign_up(shop: billing.Billing, session: Session | scoped_session[Session], account: str) -> billing.Subscribed:
    person = billing.Personal(name="Anna Beispiel")
    shop.create_profile(billing.NewProfile(account_id=account, country="DE", personal=person), session=session)
    plan = billing.NewSubscription(f"{account}-plan", account, (billing.NewItem("basic"),), start=START)
    return shop.subscribe(plan, session=session)


def _there(acme: Company) -> tuple[int, int, int]:
    """The host's rows, our customers, our invoices."""
    tables = ("public.invoice", "billing.profile", "billing.invoice")
    with acme.parts.begin() as session:
        hosts, profiles, invoices = (session.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables)
    return hosts, profiles, invoices


def test_what_the_host_rolls_back_was_never_there_and_wakes_nobody(
    acme: Company, shop: billing.Billing, engine: Engine
) -> None:
    with Session(engine) as session:
        session.add(HostsInvoice(id="1"))
        _sign_up(shop, session, "one")
        session.rollback()
        assert _there(acme) == (0, 0, 0)
        _sign_up(shop, session, "two")
        session.close()
        session.add(HostsInvoice(id="2"))
        session.commit()
        assert (_there(acme), list(acme.line.messages)) == ((1, 0, 0), []), "what was given up is not sent later"
        session.add(HostsInvoice(id="3"))
        _sign_up(shop, session, "three")
        session.commit()
    assert _there(acme) == (2, 1, 1)
    assert acme.line.messages
    acme.run_messages()
    assert acme.violations() == ()


def test_a_savepoint_of_the_hosts_takes_back_its_part_alone(
    acme: Company, shop: billing.Billing, engine: Engine
) -> None:
    with Session(engine) as session, session.begin():
        session.add(HostsInvoice(id="1"))
        _sign_up(shop, session, "kept")
        with session.begin_nested() as savepoint:
            session.add(HostsInvoice(id="2"))
            _sign_up(shop, session, "lost")
            savepoint.rollback()
        with session.begin_nested():
            _sign_up(shop, session, "kept-too")
        assert not acme.line.messages
    assert _there(acme) == (1, 2, 2)
    acme.settle()
    assert acme.violations() == ()
    with acme.parts.begin() as ours:
        numbers = ours.scalars(text("SELECT series_no FROM billing.invoice ORDER BY 1")).all()
    assert numbers == [1, 2], "a number that was taken back is given again"


def test_a_session_within_a_transaction_of_the_connection_is_taken_back_with_it(
    acme: Company, shop: billing.Billing, engine: Engine
) -> None:
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
            _sign_up(shop, session, "one")
            session.commit()
        outer.rollback()
    assert _there(acme) == (0, 0, 0)
    acme.run_messages()
    assert acme.violations() == (), "a nudge for what is not there finds nothing to do"


def test_a_scoped_session_is_joined_as_the_one_that_it_stands_for(
    acme: Company, shop: billing.Billing, engine: Engine
) -> None:
    factory = sessionmaker(engine)
    registry = scoped_session(factory)
    _sign_up(shop, registry, "one")
    with factory() as another:
        another.add(HostsInvoice(id="1"))
        another.commit()
    assert not acme.line.messages
    registry.commit()
    registry.remove()
    assert acme.line.messages
    assert _there(acme) == (1, 1, 1)


def test_the_hosts_zone_moves_no_day_and_is_the_hosts_again_afterwards(acme: Company, shop: billing.Billing) -> None:
    far = create_engine(
        acme.parts.settings.database_url or "", connect_args={"options": "-c TimeZone=Pacific/Kiritimati"}
    )
    with Session(far) as session, session.begin():
        made = _sign_up(shop, session, "one")
        shop.create_price(
            billing.NewPrice("pro", "basic", "eur", unit_amount=Decimal(2000), interval_unit="month"), session=session
        )
        shop.change(made.subscription_id, [billing.NewItem("pro")], session=session)
        with pytest.raises(billing.Refused):
            shop.change(made.subscription_id, [billing.NewItem("none")], session=session)
        assert session.scalar(text("SELECT current_setting('TimeZone')")) == "Pacific/Kiritimati"
        shown = shop.subscription(made.subscription_id, session=session)
    far.dispose()
    assert shown["current_period_end"] == datetime(2026, 2, 28, tzinfo=ZoneInfo("UTC"))
    acme.settle()
    assert acme.violations() == ()


def test_who_comes_second_in_the_hosts_transaction_is_told_so_and_the_host_goes_on(
    acme: Company, shop: billing.Billing, engine: Engine
) -> None:
    customer = acme.customer("one", method=None)
    moves = billing.ProfileChange("FR", billing.Personal(name="Anna Beispiel"), "UTC", "consumer")
    with Session(engine) as session:
        session.add(HostsInvoice(id="1"))
        known = session.get_one(Profile, customer)
        assert known.version == 1
        with acme.parts.begin() as another:
            another.execute(text("UPDATE billing.profile SET version = version + 1"))
        with pytest.raises(billing.Stale):
            shop.change_profile(customer, moves, session=session)
        session.commit()
    assert _there(acme) == (1, 1, 0)


@pytest.mark.parametrize(
    ("code", "url"),
    [
        ("transaction_missing", lambda url: create_engine(url, isolation_level="AUTOCOMMIT")),
        ("isolation_differs", lambda url: create_engine(url, isolation_level="REPEATABLE READ")),
        ("isolation_differs", lambda url: create_engine(url, isolation_level="SERIALIZABLE")),
        ("another_database", lambda url: create_engine(make_url(url).set(database="postgres"))),
    ],
)
def test_a_session_that_can_not_be_joined_is_refused_before_anything_is_written(
    acme: Company, shop: billing.Billing, code: str, url: Callable[[str], Engine]
) -> None:
    engine = url(acme.parts.settings.database_url or "")
    with Session(engine) as session, pytest.raises(billing.Refused) as refused:
        _sign_up(shop, session, "one")
    engine.dispose()
    assert refused.value.code == code
    with acme.parts.begin() as ours:
        assert ours.scalar(text("SELECT count(*) FROM billing.profile")) == 0


def test_a_connection_that_commits_each_statement_is_not_borrowed(acme: Company, shop: billing.Billing) -> None:
    url = (acme.parts.settings.database_url or "").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        with pytest.raises(billing.Refused) as refused, shop.borrow(connection, on_commit=lambda _: None):
            pass
        assert refused.value.code == "transaction_missing"
        waiting: list[Callable[[], None]] = []
        with connection.transaction(), shop.borrow(connection, on_commit=waiting.append) as session:
            _sign_up(shop, session, "one")
        assert not acme.line.messages
        for call in waiting:
            call()
    assert acme.line.messages
    with acme.parts.begin() as ours:
        assert ours.scalar(text("SELECT count(*) FROM billing.invoice")) == 1


def test_the_hosts_tables_and_ours_are_no_neighbours_in_metadata() -> None:
    assert {table.schema for table in Ours.metadata.sorted_tables} == {"billing"}
    assert "invoice" in Base.metadata.tables
    assert not set(Base.metadata.tables) & set(Ours.metadata.tables)


def test_a_failure_within_what_is_borrowed_takes_all_of_it_back_and_the_host_goes_on(
    acme: Company, shop: billing.Billing, engine: Engine
) -> None:
    address = make_url(acme.parts.settings.database_url or "").set(drivername="postgresql")
    woken: list[Callable[[], None]] = []

    def fail(connection: psycopg.Connection[tuple[object, ...]]) -> None:
        with shop.borrow(connection, on_commit=woken.append) as session:
            _sign_up(shop, session, "one")
            _sign_up(shop, session, "one")

    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        with pytest.raises(billing.Refused):
            fail(connection)
        connection.execute("INSERT INTO public.invoice VALUES ('1')")
        connection.commit()
    assert (_there(acme), woken) == ((1, 0, 0), [])
