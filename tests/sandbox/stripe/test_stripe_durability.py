"""The stand-in as a process of its own: what it answered survives a kill, and what it owes is still delivered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.stripe.making import World, client_of, receiving, until


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[tuple[World, subprocess.Popen[str]]]:
    """The command on a free port, killed at the end if it still runs."""
    command = [sys.executable, "-m", "billing.sandbox.stripe", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"}
    )
    try:
        assert process.stdout is not None
        yield World(process.stdout.readline().split()[-1]), process
    finally:
        process.kill()
        process.wait()


def test_an_answered_charge_survives_a_kill_and_its_key_replays(tmp_path: Path) -> None:
    store = str(tmp_path / "books.db")
    with running("--store", store) as (world, process):
        order = world.order()
        paid = world.v1.payment_intents.create(order, {"idempotency_key": "k"})
        world.tell("clock", {"now": "2026-01-31T00:00:00Z"})
        world.fault("slow", ms=1, next=5)
        process.kill()
    with running("--store", store) as (world, _):
        again = world.v1.payment_intents.create(order, {"idempotency_key": "other"})
        assert again.id != paid.id
        replayed = world.ask("GET", f"/v1/payment_intents/{paid.id}").json()
        assert replayed["latest_charge"] == paid.latest_charge
        assert world.see("clock")["now"] == "2026-01-31T00:00:00Z"
        assert world.see("faults")[0]["kind"] == "slow"


def test_killed_between_the_effect_and_its_answer_the_key_replays(tmp_path: Path) -> None:
    store = str(tmp_path / "books.db")
    with running("--store", store) as (world, process):
        order = world.order()
        world.fault("timeout_after", path="/v1/payment_intents")
        lane = threading.Thread(target=lambda: charged(world, order))
        lane.start()
        (moved,) = until(lambda: world.see("charges"))
        process.kill()
        lane.join()
    with running("--store", store) as (world, _):
        replayed = until(lambda: charged(world, order))
        assert replayed.latest_charge == moved["id"]
        assert replayed.last_response.headers["Idempotent-Replayed"] == "true"
        assert len(world.see("charges")) == 1


def charged(world: World, order: dict[str, Any]) -> Any:
    """The charge under the one key of a test, or None where no answer came."""
    try:
        return world.v1.payment_intents.create(order, {"idempotency_key": "k"})
    except stripe.APIConnectionError:
        return None


def test_killed_in_the_middle_of_charging_each_key_has_one_charge(tmp_path: Path) -> None:
    store = str(tmp_path / "books.db")
    answered: dict[str, str] = {}
    sent: list[str] = []

    def charge(world: World, order: dict[str, Any], lane: int) -> None:
        v1 = client_of(world.url).v1
        try:
            for number in range(10_000):
                key = f"{lane}-{number}"
                sent.append(key)
                answered[key] = v1.payment_intents.create(order, {"idempotency_key": key}).latest_charge
        except stripe.APIConnectionError:
            return

    with running("--store", store) as (world, process):
        order = world.order()
        lanes = [threading.Thread(target=charge, args=(world, order, lane)) for lane in range(4)]
        for lane in lanes:
            lane.start()
        until(lambda: len(answered) > 60)
        process.kill()
        for lane in lanes:
            lane.join()
    with running("--store", store) as (world, _):
        kept = {row["idempotency_key"]: row["id"] for row in world.see("charges")}
        assert answered.items() <= kept.items()
        for key in sent:
            again = world.v1.payment_intents.create(order, {"idempotency_key": key})
            assert again.latest_charge == kept.get(key, again.latest_charge)
        charges = world.see("charges")
        assert len(charges) == len(sent) == len({row["idempotency_key"] for row in charges})


def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    store = str(tmp_path / "books.db")
    with receiving() as receiver:
        hook = ("--webhook-url", receiver.url, "--webhook-secret-env", "HOOK_SECRET")
        receiver.statuses = [500] * 1000
        with running("--store", store, *hook, HOOK_SECRET=receiver.secret) as (world, process):
            world.v1.customers.create({})
            until(lambda: receiver.taken)
            process.kill()
        receiver.statuses, refused = [], len(receiver.taken)
        with running("--store", store, *hook, HOOK_SECRET=receiver.secret) as (world, _):
            until(lambda: len(receiver.taken) > refused)
            world.quiet()
        assert len(set(receiver.ids("customer.created"))) == 1


def test_it_ends_cleanly_when_told_to(tmp_path: Path) -> None:
    with running("--store", str(tmp_path / "books.db")) as (world, process):
        world.v1.customers.create({})
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(world.url, timeout=1)


def test_two_processes_never_share_a_store(tmp_path: Path) -> None:
    store = str(tmp_path / "books.db")
    with running("--store", store):
        second = subprocess.run(
            [sys.executable, "-m", "billing.sandbox.stripe", "--port", "0", "--store", store],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert second.returncode == 4
    assert "in use" in second.stderr


@pytest.mark.parametrize("provider", ["stripe", "paypal"])
def test_a_port_or_a_store_that_cannot_be_had_is_said_in_one_sentence(provider: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("These are no books. " * 100)
    with running() as (world, _):
        taken = world.url.rsplit(":", 1)[-1]
        for port, store in (
            (taken, ":memory:"),
            ("0", str(tmp_path)),
            ("0", str(tmp_path / "note.txt")),
            ("0", str(tmp_path / "note.txt" / "books.db")),
        ):
            ended = subprocess.run(
                [sys.executable, "-m", f"billing.sandbox.{provider}", "--port", port, "--store", store],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert (ended.returncode, ended.stdout) == (4, ""), ended.stderr[-200:]
            assert "give another --port or --store" in ended.stderr
            assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--host", "example.com"], "loopback only"),
        (["--webhook-url", "http://127.0.0.1:1/"], "go together"),
        (["--webhook-url", "http://127.0.0.1:1/", "--webhook-secret-env", "NOT_SET_ANYWHERE"], "is empty"),
    ],
)
def test_what_is_unsafe_or_incomplete_is_refused_in_one_sentence(arguments: list[str], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "billing.sandbox.stripe", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert said in ended.stderr
