"""What every table shares: the schema `billing`, named constraints, column types, the mixins of ids and versions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Numeric,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, declared_attr, mapped_column

SCHEMA = "billing"
"""Named explicitly everywhere, so that the engine can live in the host application's own database."""

Json = dict[str, Any]
JsonList = list[dict[str, Any]]

Minor = Annotated[int, mapped_column(BigInteger)]
"""Integer minor units of the currency that stands beside it."""


_JSON = JSONB(none_as_null=True)
"""What is not there is NULL to those who ask in SQL, and not a JSON null."""


class Base(DeclarativeBase):
    """Declarative base. Constraint names follow one convention, so that migrations can be compared with it."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        },
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it as a plain class attribute)
        str: Text,
        int: Integer,
        datetime: DateTime(timezone=True),
        Decimal: Numeric,
        UUID: PG_UUID(as_uuid=True),
        bytes: BYTEA,
        Json: _JSON,
        JsonList: _JSON,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(Integer),
        list[UUID]: ARRAY(PG_UUID(as_uuid=True)),
    }

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 (declared_attr hands the class)
        """An id alone is an identity; a `version` column is SQLAlchemy's optimistic counter."""
        columns = cls.__table__.c
        mapper: dict[str, Any] = {}
        if "id" in columns:
            mapper["primary_key"] = [columns["id"]]
        if "version" in columns:
            mapper["version_id_col"] = columns["version"]
        return mapper


class Born:
    """The wall time of the row's birth, which every table has."""

    @declared_attr
    def created_at(cls) -> MappedColumn[datetime]:
        return mapped_column(DateTime(timezone=True), server_default=text("clock_timestamp()"), sort_order=900)


class Identified(Born):
    """A time-ordered UUID, and the row's birth."""

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)


class SellerOwned(Identified):
    """A row of one seller. The key is (id, seller_id), so that foreign keys can carry the seller along."""

    seller_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)


class Versioned:
    """A row that changes: `version` rises with each write (bulk writes raise it by hand)."""

    @declared_attr
    def updated_at(cls) -> MappedColumn[datetime]:
        return mapped_column(
            DateTime(timezone=True),
            server_default=text("clock_timestamp()"),
            onupdate=text("clock_timestamp()"),
            sort_order=901,
        )

    @declared_attr
    def version(cls) -> MappedColumn[int]:
        return mapped_column(Integer, server_default=text("1"), default=1, sort_order=902)


def owned(column: str, table: str, *, deferred: bool = False) -> ForeignKeyConstraint:
    """A foreign key that includes the seller: a row can only point at rows of its own seller."""
    return ForeignKeyConstraint(
        [column, "seller_id"],
        [f"{SCHEMA}.{table}.id", f"{SCHEMA}.{table}.seller_id"],
        deferrable=True if deferred else None,
        initially="DEFERRED" if deferred else None,
    )


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """A check that a column holds one of the named values."""
    names = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({names})", name=f"{column}_known")


def currency_shape() -> CheckConstraint:
    """ISO 4217 in lower case."""
    return CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_shape")
