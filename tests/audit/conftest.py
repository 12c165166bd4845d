"""The world in order, built once: each test has a copy of its database, and of the objects that stand for its rows."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import pytest
from sqlalchemy.orm import Session

from billing.db.base import Base
from billing.db.session import connect
from billing.flows.parts import Parts
from billing.wiring import build
from tests import builders
from tests.audit.seeds import Planting
from tests.audit.witness_rows import witness_of
from tests.servers import Databases
from tests.stack import Noted, settings_for


@dataclass(frozen=True, slots=True)
class _Built:
    """A database that nobody changes, and its world and witness as they were pickled."""

    name: str
    things: bytes


@pytest.fixture(scope="session")
def _built(_databases: Databases) -> Iterator[_Built]:
    name = _databases.clone()
    engine = connect(_databases.url_of(name))
    with Session(engine, expire_on_commit=False) as session:
        made = builders.world(session), witness_of(session)
        session.commit()
    engine.dispose()
    yield _Built(name, pickle.dumps(made))
    _databases.drop(name)


@pytest.fixture
def world_parts(_databases: Databases, _built: _Built) -> Iterator[Parts]:
    """Parts over a copy of the world's database."""
    name = _databases.clone(of=_built.name)
    settings = settings_for(_databases.url_of(name), "http://127.0.0.1:9")
    made = replace(build(settings, transport=Noted()), keyring=builders.KEYRING)
    yield made
    made.sessions.kw["bind"].dispose()
    _databases.drop(name)


@pytest.fixture
def planting(world_parts: Parts, _built: _Built) -> Iterator[Planting]:
    """What a seed may change in it."""
    world, witness = pickle.loads(_built.things)
    with world_parts.sessions() as session:
        session.add_all(each for each in (getattr(world, one.name) for one in fields(world)) if isinstance(each, Base))
        yield Planting(session, world, witness)
