"""A RabbitMQ of the tests' own, for `./run test --broker rabbitmq`: a node on this machine, a virtual host a worker."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp

import amqp
from kombu.connection import Connection

from billing.queue.names import QUEUES

ADDRESS, PID, NODE = "BILLING_TEST_RABBITMQ", "BILLING_TEST_RABBITMQ_PID", "BILLING_TEST_RABBITMQ_NODE"
"""In the environment, for the workers of one run: where it is, its process, and how its tools find it."""
MISSING = "no RabbitMQ is installed here, so nothing was tested with it: apt-get install rabbitmq-server"
HOSTS = ("master", *(f"gw{number}" for number in range(16)))
_PATIENCE_S = 400.0
_ERLANG = "+S 1:1 +sbwt none -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
FOREIGN = ("shop",)
"""Queues of tests' host applications."""


def server() -> str | None:
    """The program; None where there is none."""
    return _program("rabbitmq-server")


def _program(name: str) -> str | None:
    # Not the wrappers on the path, which run it as another user.
    return shutil.which(name, path="/usr/lib/rabbitmq/bin:/opt/homebrew/sbin:/usr/local/sbin")


class RabbitMQ:
    """A node with nothing in it. `start` waits until it takes connections; `stop` ends it and deletes its data."""

    def __init__(self) -> None:
        self._folder = Path(mkdtemp(prefix="billing-rabbitmq-"))
        self._port, dist, register = _free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}"
        conf = self._folder / "rabbitmq.conf"
        conf.write_text(
            f"listeners.tcp.default = 127.0.0.1:{self._port}\n"
            f"load_definitions = {self._folder}/definitions.json\n"
            "log.console.level = warning\n"
        )
        (self._folder / "definitions.json").write_text(json.dumps(_definitions()))
        self._environment = os.environ | {
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": f"billing{self._port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(conf),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "ERL_CRASH_DUMP": str(self._folder / "crash.dump"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
            "RABBITMQ_CTL_ERL_ARGS": "-start_epmd false",
            "ERL_EPMD_PORT": str(register),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self) -> None:
        program = server()
        assert program is not None, MISSING
        said = self._folder / "said.log"
        with said.open("wb") as log:
            # The register of nodes is started by hand: what a node starts is a daemon, and outlives it.
            self._register = subprocess.Popen(["epmd"], env=self._environment, stdout=log, stderr=log)
            self._process = subprocess.Popen(
                [program], env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while not self._answers():
                assert self._process.poll() is None, said.read_text()
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.1)
        except BaseException:
            self.stop()
            raise
        of_node = {name: value for name, value in self._environment.items() if os.environ.get(name) != value}
        os.environ |= {ADDRESS: self.url, PID: str(self._process.pid), NODE: json.dumps(of_node)}

    def stop(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._register.kill()
        self._register.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with Connection(f"{self.url}/{HOSTS[-1]}", connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True


def control(*words: str) -> None:
    """`rabbitmqctl` of this node."""
    environment = os.environ | json.loads(os.environ[NODE])
    run = [_program("rabbitmqctl"), "-q", *words]
    subprocess.run(run, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=120)


def empty(url: str) -> None:
    """Nothing of one test is the next one's. Our queues stay: a pool's connection remembers that they are declared."""
    with Connection(url) as connection:
        for queue in QUEUES:
            with connection.channel() as channel, contextlib.suppress(amqp.NotFound):
                channel.queue_purge(queue)
        for queue in FOREIGN:
            connection.default_channel.queue_delete(queue)


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _definitions() -> dict[str, object]:
    salt = secrets.token_bytes(4)
    hashed = base64.b64encode(salt + hashlib.sha256(salt + b"guest").digest()).decode()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "users": [
            {
                "name": "guest",
                "password_hash": hashed,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "administrator",
            }
        ],
        "vhosts": [{"name": name} for name in HOSTS],
        "permissions": [{"user": "guest", "vhost": name, **everything} for name in HOSTS],
    }
