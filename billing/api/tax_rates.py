"""`/tax-rates`: the percents that prices bear, at home and elsewhere."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import BY_REQUEST, Call, Operation, missing
from billing.api.shapes import Code, Country, Day, Exact, ExactText, Id, Listed, Paging, Shape, Version, facts
from billing.flows import tax_rates as flow
from billing.queries.api.catalog import tax_rates, the_tax_rate
from billing.validators.api_key import Scope
from billing.validators.tax_rate import MOST_CHANGES, NewRateChange, NewTaxRate


class RateChangeGiven(Shape):
    """From that day on, in the seller's zone. What it does not name stays as it was."""

    starts_on: Day
    percent: ExactText | None = None
    countries: Annotated[dict[Country, ExactText], Field(max_length=250)] = Field(default_factory=dict)


class TaxRatePut(Shape):
    """The rate of that name, whole. `countries`: the percent where it differs, by country; `changes` come on their days
    by themselves. Whether prices include the tax stays as it is once there are some."""

    name: Code
    percent: ExactText
    inclusive: bool = False
    countries: Annotated[dict[Country, ExactText], Field(max_length=250)] = Field(default_factory=dict)
    changes: Annotated[list[RateChangeGiven], Field(max_length=MOST_CHANGES)] = Field(default_factory=list)
    reason: str | None = Field(default=None, min_length=1, max_length=500)


class RateChange(Shape):
    """From that day on, in the seller's zone. What it does not name stays as it was."""

    starts_on: date
    percent: Exact | None
    countries: dict[str, str]


class TaxRate(Shape):
    """A rate. Issued documents keep the percent that they were issued with."""

    id: Id
    name: str
    percent: Exact
    inclusive: bool
    countries: dict[str, str]
    changes: list[RateChange]
    version: Version


def _shown(session: Session, seller_id: UUID, id_: UUID) -> TaxRate:
    row = the_tax_rate(session, seller_id, id_)
    if row is None:
        raise missing("tax_rate")
    return facts(TaxRate, row)


def _show(call: Call) -> TaxRate:
    with call.parts.begin() as session:
        return _shown(session, call.seller_id, call.id)


def _list(call: Call) -> Listed[TaxRate]:
    with call.parts.begin() as session:
        page = tax_rates(session, call.seller_id, after=call.paging.after, limit=call.paging.limit)
    return Listed[TaxRate](data=[facts(TaxRate, row) for row in page.rows], next=page.next)


def _put(call: Call) -> None:
    given: TaxRatePut = call.body
    changes = [
        NewRateChange(
            each.starts_on, None if each.percent is None else Decimal(each.percent), _decimals(each.countries)
        )
        for each in given.changes
    ]
    new = NewTaxRate(given.name, Decimal(given.percent), given.inclusive, _decimals(given.countries), changes)

    def act(session: Session) -> TaxRate:
        order = call.bare_order(given.reason or BY_REQUEST)
        return _shown(
            session, call.seller_id, flow.put(call.parts, session, seller_id=call.seller_id, new=new, order=order).id
        )

    call.do(act)


def _decimals(countries: dict[str, str]) -> dict[str, Decimal]:
    return {country: Decimal(percent) for country, percent in countries.items()}


OPERATIONS = (
    Operation("GET", "/tax-rates", "list_tax_rates", "Rates, in the order of their names.", Scope.READ, _list,
              Listed[TaxRate], query=Paging),
    Operation("POST", "/tax-rates", "put_tax_rate", "Make the rate of that name be so, for later documents.",
              Scope.CATALOG, _put, TaxRate, body=TaxRatePut, versioned=True),
    Operation("GET", "/tax-rates/{id}", "show_tax_rate", "One rate.", Scope.READ, _show, TaxRate),
)  # fmt: skip
