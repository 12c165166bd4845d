"""The audit's own table of the steps in which providers move money is that of their adapters."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from billing.kernel.errors import Refused
from billing.kernel.money import EXPONENTS
from billing.providers.paypal import amounts as paypal
from billing.providers.stripe import amounts as stripe
from billing.queries.audit.payments import STEPS


@pytest.mark.parametrize(("provider", "step_minor"), [("stripe", stripe.step_minor), ("paypal", paypal.step_minor)])
def test_the_steps_of_a_provider_are_those_of_its_adapter(provider: str, step_minor: Callable[[str], int]) -> None:
    found = []
    for currency in EXPONENTS:
        with suppress(Refused):
            step = step_minor(currency)
            found += [(provider, currency, step)] if step > 1 else []
    assert sorted(found) == sorted(each for each in STEPS if each[0] == provider)
