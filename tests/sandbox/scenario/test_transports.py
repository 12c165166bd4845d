from __future__ import annotations

import pytest

from billing.kernel.errors import ProviderUnavailable
from billing.sandbox.scenario.playing.transports import MountedWitness
from billing.sandbox.stripe.standin import stand_in_over
from billing.sandbox.stripe.store import Store


def test_a_witness_in_process_tells_and_refuses_as_one_over_http() -> None:
    witness = MountedWitness(stand_in_over(Store(), in_process=True))
    assert witness.state().quiet
    assert list(witness.charges()) == []
    with pytest.raises(ProviderUnavailable, match="config"):
        witness.call("POST", "config", {"no_such_knob": 1})
