"""The company: an import file, cut to its first customers, and the moment at which its business with us begins."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.flows.intake_input import Intake
from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.ops.import_file import read_file
from billing.sandbox.environment import ROOT

FILE = ROOT / "examples" / "company.yaml"


def read_company(*, customers: int | None = None) -> Intake:
    """The whole file, or its first `customers` with their subscriptions."""
    intake = read_file(FILE.read_bytes(), is_yaml=True)
    kept = intake.customers[:customers]
    names = {(each.seller, each.value.profile.account_id) for each in kept}
    theirs = tuple(each for each in intake.subscriptions if (each.seller, each.value.account_id) in names)
    return replace(intake, customers=kept, subscriptions=theirs)


def begins(intake: Intake) -> datetime:
    """The day (00:00 UTC) of the first bill of all."""
    first = min(each.value.paid_through or each.value.start for each in intake.subscriptions)
    return first.replace(hour=0, minute=0, second=0, microsecond=0)


def months_later(start: datetime, months: int) -> datetime:
    """The same day so many calendar months later, clipped to the month's length."""
    return boundary(start, "UTC", Interval(IntervalUnit.MONTH), months)
