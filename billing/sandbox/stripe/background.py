"""What the stand-in does by itself: timers that are due and webhooks that wait. In a thread, or on demand."""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from billing.sandbox.stripe import deliveries, timers
from billing.sandbox.stripe.deliveries import Letter
from billing.sandbox.stripe.standin import StandIn

_log = logging.getLogger(__name__)
_SENDERS = 8
_GATHER_S = 0.02
_IDLE_S = 0.25


def run_due(stand_in: StandIn, *, early: bool = False) -> int:
    """Do all that is due, here and now, until nothing is; returns how many timers and deliveries that were.

    `early` also tries deliveries again whose back-off still runs, once each. For a stand-in mounted in process.
    """
    done, tried = 0, set[int]()
    while True:
        count = timers.run_due(stand_in)
        letters = deliveries.take_due(stand_in, but=tried, early=early)
        tried |= {letter.seq for letter in letters}
        if letters:
            deliveries.record(stand_in, deliveries.send_all(stand_in, letters))
        done += count + len(letters)
        if not count and not letters:
            return done


class Background:
    """The same in a thread of its own, with a few senders. `start` and `stop` once each."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._stopping = threading.Event()
        self._flying: set[int] = set()
        self._results: queue.SimpleQueue[tuple[Letter, int | None]] = queue.SimpleQueue()
        self._senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="webhooks")
        self._thread = threading.Thread(target=self._run, name="stand-in", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the deliveries that are on their way; what is left waits for the next start."""
        self._stopping.set()
        self._stand_in.wake.set()
        self._thread.join()
        self._senders.shutdown(wait=True, cancel_futures=True)
        self._record()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stand_in.wake.clear()
            try:
                busy = self._round()
            except Exception:  # noqa: BLE001 - the thread lives on, and says what failed
                # A thread that dies in silence would look like a provider that sends no webhooks.
                _log.exception("the stand-in's background failed and tries again")
                self._stopping.wait(_IDLE_S)
                continue
            if not busy:
                self._stand_in.wake.wait(self._idle_s())
            # Gathering what comes in quick succession into one transaction costs less than one for each.
            self._stopping.wait(_GATHER_S)

    def _round(self) -> bool:
        self._record()
        busy = timers.run_due(self._stand_in) > 0
        letters = deliveries.take_due(self._stand_in, but=self._flying)
        for letter in letters:
            self._flying.add(letter.seq)
            self._senders.submit(self._send, letter)
        return busy or bool(letters)

    def _send(self, letter: Letter) -> None:
        self._results.put((letter, deliveries.send(self._stand_in, letter)))
        self._stand_in.wake.set()

    def _record(self) -> None:
        results = []
        while not self._results.empty():
            results.append(self._results.get())
        if results:
            deliveries.record(self._stand_in, results)
            self._flying -= {letter.seq for letter, _ in results}

    def _idle_s(self) -> float:
        due = deliveries.next_due(self._stand_in)
        return _IDLE_S if due is None else min(_IDLE_S, max(0.0, due - time.time()))
