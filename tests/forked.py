"""A process that has imported fervid and forks itself for each command. Run as a script; `Forked` talks to it.

The imports take longer than most commands that tests run. The forks are processes like any other: own output, own
environment, own exit code. What a fresh interpreter imports is tested where that is the question.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import spare

IMPORTS = (
    "pyarrow",
    "fervid.cli",
    *(f"fervid.cli.{name}" for name in "alerts analyze annotate evidence explain export motion profile".split()),
    *(f"fervid.cli.{name}" for name in "purge query report verify".split()),
    *("fervid.batch.run", "fervid.batch.preview", "fervid.batch.pool", "fervid.batch.inputs", "fervid.batch.worker"),
    *("fervid.charts.timeline", "matplotlib.figure", "matplotlib.backends.backend_agg", "rich.table", "tqdm"),
)
READ_AT_START = (
    "PYTHON",
    "LC_",
    "LANG",
    "OMP_",
    "OPENBLAS_",
    "MKL_",
    "TERM",
    "NO_COLOR",
    "FORCE_COLOR",
    "_TYPER",
    "TYPER",
)
"""What begins so in the environment is read by the interpreter or by an import: a fork would not see it."""
STATUS = struct.Struct("i")
STANDARD = (0, 1, 2)
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def can_fork(environment: Iterable[str]) -> bool:
    """Whether a fork is as good as a fresh process that has these names in its environment."""
    return sys.platform == "linux" and not any(name.startswith(READ_AT_START) for name in environment)


class Forked:
    """The process that forks, started for the environment of now. Its forks end before `run` returns."""

    def __init__(self, source: Path) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": str(source)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._started_with = _read_at_start()
        self._turn = threading.Lock()
        atexit.register(self.close)

    @property
    def fits(self) -> bool:
        """Whether a fresh interpreter would start as this one did."""
        return self._process.poll() is None and self._started_with == _read_at_start()

    @property
    def _fits_fork_servers(self) -> bool:
        """The same for a fork server; those of fervid start with one thread each."""
        changed = {name for name, _ in self._started_with.items() ^ _read_at_start().items()}
        return self._process.poll() is None and changed <= {*ONE_THREAD, "PYTHONPATH"}

    def run(
        self, arguments: list[str], environment: dict[str, str], cwd: Path | None, timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """The finished command, its output as text. Raises subprocess.TimeoutExpired."""
        request = {"arguments": arguments, "environment": environment, "cwd": str(cwd or Path.cwd())}
        with self._turn, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            socket.send_fds(self._ours, [json.dumps(request).encode()], [out.fileno(), err.fileno()])
            pid = STATUS.unpack(self._ours.recv(STATUS.size))[0]
            self._ours.settimeout(timeout_seconds)
            try:
                status = STATUS.unpack(self._ours.recv(STATUS.size))[0]
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self.close()
                raise subprocess.TimeoutExpired(arguments, timeout_seconds) from None
            self._ours.settimeout(None)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(arguments, os.waitstatus_to_exitcode(status), *texts)

    def start_fork_server(self, command: str, passed: Iterable[int]) -> int | None:
        """The process ID of a child of this process that runs the command of a fork server; None if it cannot be."""
        files = [*STANDARD, *passed]
        wanted = spare.request(command) | {"numbers": files}
        if not self._fits_fork_servers or not self._turn.acquire(blocking=False):
            return None
        spare.adopt(True)
        try:
            socket.send_fds(self._ours, [json.dumps(wanted).encode()], files)
            return int(STATUS.unpack(self._ours.recv(STATUS.size))[0])
        finally:
            spare.adopt(False)
            self._turn.release()

    def close(self) -> None:
        """End the process."""
        self._ours.close()
        self._process.wait()


def _read_at_start() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(READ_AT_START)}


def _next_command(connection: socket.socket) -> list[str]:
    """Fork for every request, until there are none; returns in the fork alone, with the arguments that it got."""
    while True:
        message, (*files,), *_ = socket.recv_fds(connection, spare.LARGEST_REQUEST, spare.FILES_AT_MOST)
        if not message:
            os._exit(0)
        if len(files) > len(STANDARD):
            connection.send(STATUS.pack(_started(json.loads(message), files)))
            continue
        pid = os.fork()
        if not pid:
            break
        for file in files:
            os.close(file)
        connection.send(STATUS.pack(pid))
        connection.send(STATUS.pack(os.waitpid(pid, 0)[1]))
    connection.close()
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    request = json.loads(message)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    spare.keep_one()
    return list(request["arguments"])


def _started(wanted: dict[str, Any], files: list[int]) -> int:
    """The process ID of a fork server, whose parent has ended."""
    read, write = os.pipe()
    if not (between := os.fork()):
        if pid := os.fork():
            os.write(write, STATUS.pack(pid))
            os._exit(0)
        spare.serve(wanted, wanted["numbers"], files)
    os.waitpid(between, 0)
    pid = STATUS.unpack(os.read(read, STATUS.size))[0]
    for file in (read, write, *files):
        os.close(file)
    return int(pid)


def import_workers() -> None:
    """Import what a worker needs; commands may import the rest as well."""
    found = list(sys.meta_path)
    import_module("fervid.batch.worker").preload()
    sys.meta_path[:] = found


if __name__ == "__main__":
    from contextlib import suppress

    sys.path.pop(0)  # the folder of this file, which a fresh command does not have
    with suppress(ImportError):  # what is missing here is reported by the command that needs it
        for module in IMPORTS:
            import_module(module)
        import_workers()
    sys.argv = ["fervid", *_next_command(socket.socket(fileno=int(sys.argv[1])))]
    import_module("fervid.base.arrow").without_pandas()  # reserves memory, which would count against a worker's limit
    main = import_module("fervid.__main__").main
    main()
