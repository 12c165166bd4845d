"""Fixtures that every test may use: a migrated, empty PostgreSQL database and an empty broker, both real."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from billing.kernel import garbage
from tests.servers import Databases, Servers, empty_broker, servers, stop_if_unused, with_broker_number


def pytest_collection_finish() -> None:
    """As every worker does once all is loaded: thousands of tests are collected, and live to the end."""
    garbage.settle()


@pytest.fixture(autouse=True)
def _settings_of_its_own() -> Iterator[None]:
    """What a test leaves in the environment (adopting a stack sets a dozen names) is not the next one's."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def _servers() -> Iterator[Servers]:
    with servers() as both:
        yield both


@pytest.fixture(scope="session")
def _databases(_servers: Servers) -> Iterator[Databases]:
    databases = Databases(_servers.database_url, keep_template=_servers.embedded is not None)
    yield databases
    databases.close()


@pytest.fixture
def database_url(_databases: Databases) -> Iterator[str]:
    """The address of a database with all tables and no rows, for this test alone."""
    name = _databases.clone()
    yield _databases.url_of(name)
    _databases.drop(name)


@pytest.fixture(scope="session")
def _broker_number(_databases: Databases) -> int:
    return _databases.broker_number()


@pytest.fixture
def broker_url(_servers: Servers, _broker_number: int) -> Iterator[str]:
    """The address of an empty broker, for this test alone."""
    url = with_broker_number(_servers.broker_url, _broker_number)
    empty_broker(url)
    yield url
    empty_broker(url)


def pytest_configure() -> None:
    """Makes SIGTERM an interruption, so that fixtures are torn down and the servers are stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Looks once more after the servers when xdist's workers, which held them, have been interrupted."""
    if not hasattr(config, "workerinput"):
        stop_if_unused(patience_s=2 if config.getoption("numprocesses", default=None) else 0)
