"""What no order was asked for is told the other way round in tests."""

from __future__ import annotations

from sqlalchemy import create_engine, text


def test_rows_come_backwards_unless_an_order_is_asked_for(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TEMP TABLE these ON COMMIT DROP AS SELECT n FROM generate_series(1, 3) n"))

        def told(statement: str) -> list[int]:
            return list(connection.execute(text(statement)).scalars().all())

        assert told("SELECT n FROM these") == [3, 2, 1]
        assert told("WITH all_ AS (SELECT n FROM these) SELECT n FROM all_") == [3, 2, 1]
        assert told("SELECT n FROM these ORDER BY n") == [1, 2, 3]
        assert told("UPDATE these SET n = n + 1 RETURNING n") == [4, 3, 2]
        assert told("INSERT INTO these VALUES (8), (9) RETURNING n") == [8, 9]
    engine.dispose()
