"""`billing` without its start: a process that has loaded all commands, and forks for each call.

The pages call it by the dozen, and claim what it does, not how it starts: that takes a second of processor each time.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from billing.__main__ import COMMANDS, main
from billing.sandbox.environment import ROOT

_CALLING = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(line, [len(call).to_bytes(4)], [0, 1, 2])
    line.sendall(call)
    status = line.recv(1)
    line.recv(1)
sys.exit(status[0] if status else 1)
"""
"""What a call of `billing` is: it hands over its arguments, folder, environment and streams, and waits for the end."""


@contextmanager
def warm_billing() -> Iterator[str]:
    """A script that does what `python -m billing` does. It works until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="billing-") as folder:
        address = str(Path(folder) / "line")
        calling = Path(folder) / "calling.py"
        calling.write_text(_CALLING.format(address=address))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.docs.warm", address],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield f'#!/bin/sh\nexec {shlex.join([sys.executable, "-IS", str(calling)])} "$@"\n'
        finally:
            process.communicate(timeout=10)


def _serve(address: str) -> None:
    """Take calls until who started us has ended."""
    for entry in COMMANDS.values():
        import_module(entry.module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while sys.stdin not in select.select([door, sys.stdin], [], [])[0]:
            line, _ = door.accept()
            if os.fork() == 0:
                door.close()
                return _become(line)
            line.close()
    return None


def _become(line: socket.socket) -> None:
    """Be the process that was called: its end closes the line, once its status was said."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    with line.makefile("rb") as call:
        arguments, folder, environment = json.loads(call.read(int.from_bytes(size)))
    for stream, number in zip(streams, range(3), strict=True):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["billing", *arguments]
    status: object = 1
    try:
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:  # noqa: BLE001 (as Python itself ends)
        traceback.print_exc()
    line.sendall(bytes([status if isinstance(status, int) else 1]))


if __name__ == "__main__":
    _serve(sys.argv[1])
