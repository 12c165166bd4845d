"""Parts over a database that builders have filled with a world of rows: for what needs no provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from billing.flows.parts import Parts
from billing.wiring import build
from tests import builders
from tests.stack import Noted, settings_for


@contextmanager
def a_world(database_url: str, **settings: Any) -> Iterator[Parts]:
    """With these settings in place of the defaults. Nobody answers where the provider would be."""
    chosen = settings_for(database_url, "http://127.0.0.1:9").model_copy(update=settings)
    made = replace(build(chosen, transport=Noted()), keyring=builders.KEYRING)
    with made.begin() as session:
        builders.world(session)
    yield made
    made.sessions.kw["bind"].dispose()
