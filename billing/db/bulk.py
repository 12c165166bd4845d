"""Bulk inserts by arrays: many rows in one statement of fixed text, with ON CONFLICT and RETURNING, unlike COPY."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from billing.db.base import SCHEMA, Base


def insert_rows(
    session: Session,
    model: type[Base],
    rows: Sequence[dict[str, Any]],
    *,
    unless_taken: Sequence[str] = (),
    returning: Sequence[str] = (),
) -> Sequence[Row[Any]]:
    """Insert rows that all have the same columns, of scalar types. Server defaults fill the columns left out.

    `unless_taken` names the columns of a unique constraint: a row that violates it is left out, and not returned.
    """
    if not rows:
        return []
    table, names = model.metadata.tables[f"{SCHEMA}.{model.__tablename__}"], list(rows[0])
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays = ", ".join(f"CAST(:{name} AS {table.c[name].type.compile(dialect)}[])" for name in names)
    statement = f"INSERT INTO {table.fullname} ({', '.join(names)}) SELECT * FROM unnest({arrays})"  # noqa: S608
    if unless_taken:
        statement += f" ON CONFLICT ({', '.join(unless_taken)}) DO NOTHING"
    if returning:
        statement += f" RETURNING {', '.join(returning)}"
    done = session.execute(text(statement), {name: [row[name] for row in rows] for name in names})
    return done.all() if returning else []
