"""Stories of death at a failpoint: the child alone, the worker's parent, the whole tree, the receiver."""

from __future__ import annotations

import time
from collections.abc import Callable

from billing.sandbox.crash.case import Story
from billing.sandbox.crash.processes import is_alive, thaw
from billing.sandbox.crash.stage import Stage
from billing.sandbox.embedded.processes import wait_until

DROP_ALL = {"kind": "webhook_drop", "rate": 1}
"""A fault of the provider: it keeps everything to itself."""
LEFT_FROZEN_S = 4.5
"""Longer than a lease in the sandbox."""
_ENDS_WITHIN_S = 20.0


def killed(stage: Stage, point: str, *, process: str = "worker") -> None:
    """Play until a process has died at this point. It leaves its mark an instant before that."""
    pid = stage.reach(point, process=process)
    stage.expect(wait_until(lambda: not is_alive(pid), seconds=_ENDS_WITHIN_S), f"{pid} lives on after {point}")
    stage.hurt()


def kill_child(point: str, hit: int, *, deaf: bool = False) -> Story:
    """SIGKILL to the pool's child as it passes the point; its parent makes another. `deaf`: no webhook ever comes."""

    def story(stage: Stage) -> None:
        if deaf:
            stage.witness.add_faults(DROP_ALL)
        stage.receiver()
        stage.worker(faults=f"{point}=kill@{hit}")
        killed(stage, point)

    return story


def kill_parent(point: str, hit: int) -> Story:
    """The child is frozen at the point, its parent killed. A new worker takes over; then the orphan goes on."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker(faults=f"{point}=stop@{hit}")
        orphan = stage.reach(point)
        worker.kill()
        stage.hurt()
        stage.worker("worker-2")
        until = time.monotonic() + LEFT_FROZEN_S
        stage.wait(lambda: time.monotonic() > until, "the lease to be over")
        thaw(orphan)
        ended = wait_until(lambda: not is_alive(orphan), seconds=_ENDS_WITHIN_S)
        stage.expect(ended, "the orphaned child lives on")
        del stage.living["worker"]

    return story


def kill_tree(point: str, hit: int) -> Story:
    """Parent and children get SIGKILL while the child is at the point."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker(faults=f"{point}=stop@{hit}")
        stage.reach(point)
        worker.kill_group()
        stage.hurt()

    return story


def kill_receiver(point: str, hit: int) -> Story:
    """SIGKILL to the receiver as it passes the point."""

    def story(stage: Stage) -> None:
        stage.receiver(faults=f"{point}=kill@{hit}")
        stage.worker()
        killed(stage, point, process="receiver")

    return story


def while_frozen(point: str, act: Callable[[Stage], None]) -> Story:
    """Something happens to the rest of the world while the child stands still at the point; then it goes on."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=stop")
        frozen = stage.reach(point)
        act(stage)
        stage.hurt()
        thaw(frozen)

    return story
