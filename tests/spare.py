"""Fork servers that are forks themselves, of a process that has imported everything. Linux only.

A fork server imports for longer than most analyses of tests take. What a fresh one imports, and that it starts no
thread, is tested where that is the question.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing import forkserver, util
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
LAST_STANDARD = 2
FIRST_FREE = 64
"""Files that move out of the way of others get this number or a higher one."""
LARGEST_REQUEST = 1 << 20
FILES_AT_MOST = 8

spawn = util.spawnv_passfds


def is_fork_server(arguments: Sequence[str | bytes]) -> bool:
    """Whether a process with these arguments would be a fork server."""
    return str(arguments[-1]).startswith(f"from {forkserver.__name__} import main")


def request(command: str) -> dict[str, object]:
    """What another process needs to know to be the fork server that this one would start now, for `serve`."""
    blocked = [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())]
    return {"command": command, "environment": dict(os.environ), "cwd": str(Path.cwd()), "blocked": blocked}


def serve(wanted: dict[str, object], numbers: Sequence[int], files: Sequence[int]) -> None:
    """Be the fork server, with the files under the numbers that they have where it was asked for. Does not return."""
    exit_code = 1
    try:
        os.chdir(str(wanted["cwd"]))
        os.environ.clear()
        os.environ.update(wanted["environment"])  # type: ignore[call-overload]
        _only(dict(zip(numbers, files, strict=True)))
        signal.pthread_sigmask(signal.SIG_SETMASK, wanted["blocked"])  # type: ignore[arg-type]
        exec(str(wanted["command"]), {})
        exit_code = 0
    finally:
        os._exit(exit_code)


def keep_one() -> None:
    """Fork the process that will be the first fork server that this one starts; it ends if none is needed.

    Called while this process has one thread and has imported what a worker needs.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        ours.close()
        message, files, *_ = socket.recv_fds(theirs, LARGEST_REQUEST, FILES_AT_MOST)
        if not message:
            os._exit(0)
        wanted = json.loads(message)
        serve(wanted, wanted["numbers"], files)
    theirs.close()

    def start(path: str, arguments: Sequence[str | bytes], passed: Iterable[int]) -> int:
        if not is_fork_server(arguments):
            return spawn(path, arguments, passed)
        util.spawnv_passfds = spawn
        wanted = request(str(arguments[-1])) | {"numbers": list(passed)}
        with ours:
            socket.send_fds(ours, [json.dumps(wanted).encode()], list(passed))
        return pid

    util.spawnv_passfds = start


def adopt(is_adopting: bool) -> None:
    """Whether processes further down become children of this one when their parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(is_adopting), 0, 0, 0)


def _only(files: dict[int, int]) -> None:
    """Have these files alone, under these numbers, and the standard ones."""
    moved = {number: fcntl.fcntl(file, fcntl.F_DUPFD, FIRST_FREE) for number, file in files.items()}
    kept = set(moved.values())
    for name in os.listdir("/proc/self/fd"):
        if (file := int(name)) > LAST_STANDARD and file not in kept:
            with suppress(OSError):  # the one that listed them
                os.close(file)
    for number, file in moved.items():
        os.dup2(file, number)
        os.close(file)
