"""Whose a finding is: whoever's the row is that it is about."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from billing.db.base import Base
from billing.kernel.ids import new_id
from billing.queries import audit
from billing.queries.finding_owners import BY_ID, owners

_ABOUT = re.compile(r"(?:SELECT '|Finding\(\")(\w+)['\"],")
SOURCES = Path(audit.__file__).parent.glob("*.py")


def test_a_finding_about_a_row_of_a_seller_is_that_sellers(database_url: str) -> None:
    about = {found for source in SOURCES for found in _ABOUT.findall(source.read_text())}
    tables = {table.name: table for table in Base.metadata.tables.values()}
    sellers = {name for name in about if name in tables and "seller_id" in tables[name].columns}
    assert len(sellers) > 12
    assert sellers <= set(BY_ID)
    with Session(create_engine(database_url)) as session:
        assert owners(session, [(name, str(new_id())) for name in BY_ID]) == {}
