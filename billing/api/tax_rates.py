"""`/tax-rates`: the percents that prices bear, at home and elsewhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Code, Country, Exact, ExactText, Id, Listed, Paging, Shape, Version, facts
from billing.commands.tax_rate.put import put_tax_rate
from billing.queries.api.catalog import tax_rates, the_tax_rate
from billing.validators.api_key import Scope
from billing.validators.tax_rate import NewTaxRate


class TaxRatePut(Shape):
    """The rate of that name, whole. `countries`: the percent where it differs, by country."""

    name: Code
    percent: ExactText
    inclusive: bool = False
    countries: Annotated[dict[Country, ExactText], Field(max_length=250)] = Field(default_factory=dict)


class TaxRate(Shape):
    """A rate. Issued documents keep the percent that they were issued with."""

    id: Id
    name: str
    percent: Exact
    inclusive: bool
    countries: dict[str, str]
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
    countries = {country: Decimal(percent) for country, percent in given.countries.items()}
    new = NewTaxRate(given.name, Decimal(given.percent), given.inclusive, countries)

    def act(session: Session) -> TaxRate:
        return _shown(session, call.seller_id, put_tax_rate(session, seller_id=call.seller_id, new=new).id)

    call.do(act)


OPERATIONS = (
    Operation("GET", "/tax-rates", "list_tax_rates", "Rates, in the order of their names.", Scope.READ, _list,
              Listed[TaxRate], query=Paging),
    Operation("POST", "/tax-rates", "put_tax_rate", "Make the rate of that name be so, for later documents.",
              Scope.CATALOG, _put, TaxRate, body=TaxRatePut),
    Operation("GET", "/tax-rates/{id}", "show_tax_rate", "One rate.", Scope.READ, _show, TaxRate),
)  # fmt: skip
