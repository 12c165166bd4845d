"""How long a worker may begin something with what it took."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from billing.kernel import hold
from billing.kernel.hold import Hold


@pytest.mark.parametrize(
    ("steady_s", "wall_s", "over"),
    [
        (89.9, 89.9, False),
        (90.0, 90.0, True),
        # The machine slept: one clock stood.
        (0.1, 90.0, True),
        # The host's clock was set back.
        (90.0, -3600.0, True),
        (0.1, -3600.0, False),
    ],
)
def test_it_is_over_by_the_clock_that_saw_more(
    monkeypatch: pytest.MonkeyPatch, steady_s: float, wall_s: float, *, over: bool
) -> None:
    passed = {"steady": 0.0, "wall": 0.0}
    clocks = SimpleNamespace(monotonic=lambda: 5.0 + passed["steady"], time=lambda: 1e9 + passed["wall"])
    monkeypatch.setattr(hold, "time", clocks)
    held = Hold(90.0)
    assert not held.over
    passed.update(steady=steady_s, wall=wall_s)
    assert held.over is over
