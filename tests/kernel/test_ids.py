"""Ids must rise within a process, never repeat across threads and forks, and be ordinary UUIDs."""

from __future__ import annotations

import copy
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

import pytest

from billing.kernel.ids import new_id, new_ids


def test_an_id_is_a_version_7_uuid_stamped_with_wall_time() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == RFC_4122
    # A run of ids taken at once may be a few milliseconds ahead of the clock.
    assert before <= made.int >> 80 <= after + 1_000


def test_ids_made_one_after_another_rise() -> None:
    made = [new_id() for _ in range(500)] + new_ids(20_000) + [new_id()]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_keep_rising_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    an_hour_ago = time.time_ns() - 3_600_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: an_hour_ago)
    second = new_id()
    assert second > first


def test_an_id_behaves_like_one_from_the_standard_constructor() -> None:
    made = new_id()
    same = UUID(str(made))
    assert made == same
    assert hash(made) == hash(same)
    assert repr(made) == repr(same)
    assert made.is_safe is same.is_safe
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.deepcopy(made) == made


def test_no_ids_are_made_for_a_count_of_zero() -> None:
    assert new_ids(0) == []


def test_threads_never_get_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: new_ids(500), range(40)))
    assert len({one for run in runs for one in run}) == 40 * 500


def test_a_forked_child_never_repeats_its_parents_ids() -> None:
    reading, writing = os.pipe()
    new_id()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(one.bytes for one in new_ids(200)))
        os._exit(0)
    mine = {one.bytes for one in new_ids(200)}
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    assert len(theirs) == 16 * 200
    assert mine.isdisjoint(theirs[place : place + 16] for place in range(0, len(theirs), 16))
