"""Fixtures that every test may use: a migrated, empty PostgreSQL database and an empty broker, both real."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

from billing.kernel import garbage
from tests import rabbitmq
from tests.backwards import backwards
from tests.browser.chromium import chromium  # noqa: F401 (one a worker: two of Playwright can't be)
from tests.compiled import compile_once
from tests.servers import Databases, Servers, empty_broker, servers, stop_if_unused, with_broker_number
from tests.whole_reads import watching, whole_reads

settings.register_profile("whatever the machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whatever the machine")
"""How long an example takes proves nothing where a busy machine may stand still for half a second."""


def pytest_collection_finish() -> None:
    """As every worker does once all is loaded: thousands of tests are collected, and live to the end."""
    garbage.settle()
    gc.enable()


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
    with backwards(), watching() as seen:
        yield databases
    try:
        assert not (found := whole_reads(databases, seen)), "\n".join(found)
    finally:
        databases.close()


@pytest.fixture
def database_url(_databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database with all tables and no rows, for this test alone."""
    if request.node.get_closest_marker("new_database"):
        name = _databases.clone()
        yield _databases.url_of(name)
        _databases.drop(name)
        return
    name = _databases.lend()
    yield _databases.url_of(name)
    _databases.take_back(name)


@pytest.fixture(scope="session")
def _broker_number(_databases: Databases) -> int:
    return _databases.broker_number()


@pytest.fixture
def broker_url(_servers: Servers, _broker_number: int, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty broker, for this test alone."""
    if request.config.getoption("broker") == "rabbitmq":
        host = os.environ.get("PYTEST_XDIST_WORKER", rabbitmq.HOSTS[0])
        url = f"{os.environ[rabbitmq.ADDRESS]}/{host}"
        rabbitmq.empty(url)
        yield url
        rabbitmq.empty(url)
        return
    url = with_broker_number(_servers.broker_url, _broker_number)
    empty_broker(url)
    yield url
    empty_broker(url)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        choices=["valkey", "rabbitmq"],
        default="valkey",
        help="rabbitmq: what speaks to a broker, with an installed RabbitMQ, which is started for it",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With RabbitMQ those tests alone that speak to a broker; without, none that are of it."""
    kept = [item for item in items if _is_of(item, config.getoption("broker"))]
    if len(kept) < len(items):
        out = set(items) - set(kept)
        config.hook.pytest_deselected(items=[item for item in items if item in out])
        items[:] = kept
    if config.getoption("broker") == "rabbitmq":
        for item in items:
            # One after another: a test freezes the node.
            item.add_marker(pytest.mark.xdist_group("rabbitmq"))
    # The longest begin first, after groups, which xdist hands out before all: none of them is left alone in the end.
    items.sort(key=lambda item: item.get_closest_marker("crash") is None)


_SPEAKING = ("queue/", "tasks/", "flows/", "ops/test_check")
"""Where tests are about what goes through the broker; elsewhere one is merely set."""


def _is_of(item: pytest.Item, broker: str) -> bool:
    if item.get_closest_marker("rabbitmq"):
        return broker == "rabbitmq"
    if broker == "valkey":
        return True
    has_one = "broker_url" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("valkey")
    return has_one and any(each in item.nodeid for each in _SPEAKING)


def pytest_configure(config: pytest.Config) -> None:
    """Makes SIGTERM an interruption, so that fixtures are torn down and the servers are stopped."""
    if config.getoption("broker") == "rabbitmq" and not hasattr(config, "workerinput"):
        if rabbitmq.server() is None:
            pytest.exit(rabbitmq.MISSING, returncode=1)
        node = rabbitmq.RabbitMQ()
        config.add_cleanup(node.stop)
        node.start()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    compile_once()
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", default=None):
        gc.disable()  # while tests are collected, which is not done by who only hands them out


def pytest_unconfigure(config: pytest.Config) -> None:
    """Looks once more after the servers when xdist's workers, which held them, have been interrupted."""
    if not hasattr(config, "workerinput"):
        stop_if_unused(patience_s=2 if config.getoption("numprocesses", default=None) else 0)
