"""One scenario from its first moment to what is told of it, on a scratch database of its own."""

from __future__ import annotations

from billing.kernel import garbage
from billing.kernel.errors import Refused
from billing.sandbox.scenario.model import Scenario
from billing.sandbox.scenario.outcome import BROKEN, INVALID, PLAYED, REFUSED, Outcome
from billing.sandbox.scenario.playing.ground import Ground
from billing.sandbox.scenario.playing.player import Refusal, play
from billing.sandbox.scenario.playing.stage import NotSettled, quietly, staged
from billing.sandbox.scenario.playing.told import tell
from billing.sandbox.scenario.stopping import STOPPING


def play_whole(ground: Ground, scenario: Scenario) -> Outcome:
    """Play it, and say how it ended."""
    quietly()
    garbage.look_seldom()
    try:
        return _played(ground, scenario)
    except Refused as refused:
        # What the engine refuses of seller, prices or customers, and the reader let pass.
        return Outcome(INVALID, None, [str(fault) for fault in refused.faults])
    except NotSettled as left:
        return Outcome(BROKEN, None, [str(left)])


def _played(ground: Ground, scenario: Scenario) -> Outcome:
    first = min((step.at for step in scenario.steps), default=scenario.until)
    with ground.database() as scratch, staged(scratch.engine, now=first) as stage:
        with STOPPING.at_work():
            played = play(scenario, stage)
        told = tell(played)
    broken = [f"broken: {violation}" for violation in told["audit"]["violations"]]
    unlike = [_unlike(refusal) for refusal in played.refusals if not refusal.expected]
    status = BROKEN if broken else REFUSED if unlike else PLAYED
    return Outcome(status, told, [*broken, *unlike])


def _unlike(refusal: Refusal) -> str:
    step, expected = refusal.step, refusal.step.expect_error
    where = f"step {step.number} ({step.do})"
    if refusal.code is None:
        return f"{where}: was not refused, {expected} was expected"
    wanted = f", {expected} was expected" if expected else ""
    return f"{where}: refused: {refusal.code} ({refusal.mend}){wanted}"
