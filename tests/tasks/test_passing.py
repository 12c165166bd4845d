"""What passes is left for a sweep, also where several things failed at once; what doesn't is a person's work."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, Refused, Stale
from billing.tasks.base import passes

GONE = OperationalError("SELECT 1", None, Exception("the server closed the connection"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (GONE, True),
        (ProviderUnavailable("away"), True),
        (ProviderRefused("no", code="no"), False),
        (Refused(Fault("a", "b", "c")), False),
        (ExceptionGroup("some of it", [GONE, Stale("late")]), True),
        (ExceptionGroup("some of it", [ExceptionGroup("of that", [GONE])]), True),
        (ExceptionGroup("some of it", [GONE, ValueError("a fault of ours")]), False),
    ],
)
def test_a_database_that_is_away_is_nobodys_work_however_much_failed_with_it(
    error: Exception, *, expected: bool
) -> None:
    assert passes(error) is expected
