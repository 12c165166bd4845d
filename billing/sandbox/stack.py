"""The embedded stack of one name: servers, stand-in, web, workers and beat; started, hurt on purpose, stopped."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from billing.db.clock import wall_now
from billing.db.migrate import upgrade
from billing.flows.parts import Parts
from billing.flows.start import start as check_start
from billing.kernel.clock import format_instant
from billing.queries.audit.invariant import Text
from billing.queue.celery import make_app
from billing.sandbox import endpoint, environment, processes, programs
from billing.sandbox.clock import first_set
from billing.sandbox.embedded import Embedded
from billing.sandbox.embedded import start as start_servers
from billing.sandbox.embedded.folders import folders_of, own_folder
from billing.sandbox.environment import MAIN, Place, place_of
from billing.sandbox.plan import Plan
from billing.sandbox.probes import HOST, answers, has_beaten, port_for, until, workers_answer
from billing.sandbox.processes import Program
from billing.sandbox.programs import BEAT, STAND_INS, WEB, WORKER
from billing.settings import Settings
from billing.settings.given import GivenSettings
from billing.wiring import build


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack. `since` is wall time, ISO 8601; null while it is down."""

    name: str
    address: str
    pid: int | None
    since: str | None


class Stack:
    """The stack of that name. Nothing is made or started before `start`."""

    def __init__(self, name: str = MAIN) -> None:
        self.place: Place = place_of(name)
        self._folder = self.place.folder
        self._parts: Parts | None = None

    def start(
        self,
        *,
        port: int | None = None,
        workers: int | None = None,
        seed: int | None = None,
        fast: bool = False,
        now: datetime | None = None,
    ) -> list[str]:
        """Start whatever is down and wait until it answers. Returns the names of what was started, in order.

        `port`: the web's, by default the last one or any free one. `seed`: makes the stand-in's faults repeatable.
        `fast`: for data that are thrown away, see `embedded.start`. `now`: business time of a new stack, by default
        the wall's. Raises `EmbeddedUnavailable`, `StackFailed`, and what `flows.start` refuses.
        """
        servers = start_servers(self.place.root, fast=fast)
        own_folder(self._folder, uid=os.geteuid(), gid=os.getegid(), mode=0o700)
        with self._locked():
            plan = Plan.read(self.place).with_workers(workers)
            values = programs.with_secrets(self.environment)
            values |= {"DATABASE_URL": servers.database_url, "BROKER_URL": servers.broker_url}
            before = ["postgres", "valkey"] if servers.started else []
            for name in filter(self._is_down, STAND_INS):
                plan = plan.with_port(name, port_for(None, plan.port_of(name)))
                plan.write(self.place)
                self._launch(name, plan, values, seed=seed)
                before.append(name)
            upgrade(servers.database_url)
            for name in STAND_INS:
                self._wait_for(name, plan)
            if self._is_down(WEB):
                plan = replace(plan, web_port=port_for(port, plan.web_port))
            values |= {
                "STRIPE_API_BASE": _url(plan.stripe_port),
                "STRIPE_JS_URL": f"{_url(plan.stripe_port)}/_sandbox/js",
                "PAYPAL_API_BASE": _url(plan.paypal_port),
            }
            values["BILLING_PUBLIC_URL"] = _url(plan.web_port)
            values["STRIPE_PUBLISHABLE_KEY"] = "pk_test_sandbox"
            plan, values = _listening(plan, values)
            plan, values = self._paypal_listening(plan, values)
            environment.write(self.place, values)
            plan.write(self.place)
            self._parts = build(_settings(values))
            # Once and alone: several processes at the same moment would all be the first.
            check_start(self._parts)
            first_set(self._parts, now=now or datetime.now(UTC).replace(second=0, microsecond=0))
            return before + self._start_ours(plan, values)

    def stop(self) -> None:
        """Stop all in order: beat, workers, web, stand-in, servers; leftovers of a killed `up` too. Data stay."""
        self._let_go()
        if self._folder.is_dir():
            with self._locked():
                names = processes.known(self._folder)
                workers = [name for name in names if name.startswith(WORKER)]
                for stage in ([BEAT], workers, [WEB], [*STAND_INS]):
                    processes.stop(self._folder, [name for name in names if name in stage])
        if self.place.base.is_dir():
            self.servers.stop()

    def remove(self) -> None:
        """End all, not waiting for work under way, and delete the data."""
        self._let_go()
        for name in processes.known(self._folder):
            processes.kill(self._folder, name)
        if self.place.base.is_dir():
            self.servers.remove()

    @property
    def servers(self) -> Embedded:
        """PostgreSQL and Valkey, running or not."""
        return Embedded(folders=folders_of(self.place.root), started=False, fast=False)

    @property
    def environment(self) -> dict[str, str]:
        """What its processes get. Holds secrets."""
        return environment.read(self.place)

    @property
    def parts(self) -> Parts:
        """Parts over this stack, for the present process."""
        if self._parts is None:
            self._parts = build(_settings(self.environment))
        return self._parts

    def status(self) -> list[Part]:
        """Every process that belongs to it, up or down."""
        plan, servers = Plan.read(self.place), self.servers
        sockets = servers.folders.sockets
        listed = [
            _server("postgres", sockets / ".s.PGSQL.5432", servers.postgres_pid),
            _server("valkey", sockets / "valkey.sock", servers.valkey_pid),
        ]
        addresses = {name: _url(plan.port_of(name)) for name in STAND_INS} | {WEB: _url(plan.web_port)}
        for name in (*STAND_INS, WEB, *plan.worker_names, BEAT):
            found = processes.find(self._folder, name)
            listed.append(
                Part(name, addresses.get(name, ""), found.pid if found else None, found.since if found else None)
            )
        return listed

    def log_lines(self) -> Iterator[Text]:
        """What its processes have written, line by line, to be searched for secrets."""
        for path in sorted(self._folder.glob("*.log*")):
            with path.open(errors="replace") as lines:
                yield from (Text(f"{path.name}:{number}", line) for number, line in enumerate(lines, start=1))

    # One process at a time, for fault tests.

    def kill(self, name: str) -> None:
        """SIGKILL to one process and its children."""
        processes.kill(self._folder, name)

    def start_one(self, name: str, *, env: Mapping[str, str] | None = None) -> None:
        """Start one process that is down and wait until it answers. `env` adds to its environment (failpoints)."""
        plan = Plan.read(self.place)
        self._launch(name, plan, self.environment | dict(env or {}))
        self._wait_for(name, plan)

    def restart(self, name: str, *, env: Mapping[str, str] | None = None) -> None:
        """Kill it, if it lives, and start it again."""
        self.kill(name)
        self.start_one(name, env=env)

    # Inside.

    def _start_ours(self, plan: Plan, values: Mapping[str, str]) -> list[str]:
        down = [name for name in (WEB, *plan.worker_names, BEAT) if self._is_down(name)]
        for name in down:
            self._launch(name, plan, values)
        for name in down:
            self._wait_for(name, plan)
        return down

    def _launch(self, name: str, plan: Plan, values: Mapping[str, str], *, seed: int | None = None) -> None:
        run = programs.command(name, self.place, plan, seed=seed)
        program = Program(name, run, programs.child_environment(self.place, values))
        processes.launch(self._folder, program)

    def _wait_for(self, name: str, plan: Plan) -> None:
        until(
            self._ready(name, plan),
            alive=lambda: not self._is_down(name),
            what=name,
            log=str(processes.log_of(self._folder, name)),
        )

    def _ready(self, name: str, plan: Plan) -> Callable[[], bool]:
        if name in STAND_INS:
            return lambda: answers(f"{_url(plan.port_of(name))}/_sandbox/clock")
        if name == WEB:
            return lambda: answers(f"{_url(plan.web_port)}/readyz")
        if name == BEAT:
            with self.parts.begin() as session:
                since = wall_now(session)
            return lambda: has_beaten(self.parts, since=since)
        app = make_app(self.parts.settings)
        return lambda: workers_answer(app, [programs.node_of(name)])

    def _paypal_listening(self, plan: Plan, values: dict[str, str]) -> tuple[Plan, dict[str, str]]:
        """As `_listening`, of PayPal's stand-in, whose webhooks are verified by a certificate of its own."""
        base = values["PAYPAL_API_BASE"]
        if plan.webhook is None or plan.webhook_port != plan.web_port:
            credentials = endpoint.Credentials(values["PAYPAL_CLIENT_ID"], values["PAYPAL_CLIENT_SECRET"])
            url = f"{_url(plan.web_port)}/webhooks/paypal"
            webhook = endpoint.register_paypal(base, credentials, url=url, instead_of=plan.webhook)
            plan = replace(plan, webhook=webhook, webhook_port=plan.web_port)
        roots = endpoint.keep_root(base, self._folder / "paypal-root.pem")
        return plan, values | {"PAYPAL_WEBHOOK_ID": plan.webhook or "", "PAYPAL_CERT_ROOTS": str(roots)}

    def _is_down(self, name: str) -> bool:
        return processes.find(self._folder, name) is None

    def _let_go(self) -> None:
        if self._parts is not None:
            self._parts.sessions.kw["bind"].dispose()
            self._parts = None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _listening(plan: Plan, values: dict[str, str]) -> tuple[Plan, dict[str, str]]:
    """The stand-in knows our receiver: registered at the first start, told where a port has changed."""
    where = {"key": values["STRIPE_API_KEY"], "url": f"{_url(plan.web_port)}/webhooks/stripe"}
    base = values["STRIPE_API_BASE"]
    if plan.endpoint is None:
        id_, secret = endpoint.register(base, **where)
        return replace(plan, endpoint=id_, endpoint_port=plan.web_port), values | {"STRIPE_WEBHOOK_SECRET": secret}
    if plan.endpoint_port != plan.web_port:
        endpoint.move(base, id_=plan.endpoint, **where)
    return replace(plan, endpoint_port=plan.web_port), values


def _settings(values: Mapping[str, str]) -> Settings:
    return GivenSettings.model_validate({name.lower(): value for name, value in values.items()})


def _server(name: str, socket: Path, pid: int | None) -> Part:
    since = None
    # A server that is just starting, or ending, has no socket.
    with suppress(FileNotFoundError):
        since = format_instant(datetime.fromtimestamp(int(socket.stat().st_mtime), UTC))
    return Part(name, str(socket), pid, since if pid else None)


def _url(port: int | None) -> str:
    return "" if port is None else f"http://{HOST}:{port}"
