"""Sellers that share a provider account."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from tests.flows.company import Company


def another_seller(acme: Company) -> UUID:
    """One that shares the provider account."""
    other = UUID(int=7)
    with acme.parts.begin() as session:
        session.execute(
            text(
                """INSERT INTO billing.seller SELECT (s).* FROM
                   (SELECT jsonb_populate_record(s, jsonb_build_object('id', CAST(:id AS uuid), 'code', 'OTHER')) AS s
                    FROM billing.seller s) AS t"""
            ),
            {"id": str(other)},
        )
    return other
