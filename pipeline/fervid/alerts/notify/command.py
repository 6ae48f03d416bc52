"""Starts a command for every message.

    [command]
    argv = ["/usr/local/bin/on-alert"]

It is started from a list of arguments, never through a shell, and nothing of a message becomes an argument: it reads
the JSON from its standard input.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from pydantic import Field

from fervid.alerts.notify import NotSent
from fervid.alerts.notify.section import NotifySection, Seconds


class Command(NotifySection):
    """A command and its arguments. The message is sent to its standard input."""

    argv: tuple[str, ...] = Field(min_length=1)
    timeout: Seconds = 30.0

    def prepare(self) -> None:
        """A command needs nothing else."""

    def send(self, body: bytes, message_id: str) -> None:  # noqa: ARG002
        """Start the command with the message. Raises NotSent."""
        start(self.argv, body, timeout_seconds=self.timeout)


def start(argv: Sequence[str], body: bytes, *, timeout_seconds: float) -> None:
    """Run a program with the message on its standard input; exit status 0 means delivered. Raises NotSent.

    What it prints goes to stderr. After `timeout_seconds` it is killed with its child processes.
    """
    try:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=_stderr(), start_new_session=True)
    except OSError as problem:
        raise NotSent(f"{argv[0]} cannot be started ({problem.strerror})", is_passing=False) from None
    try:
        process.communicate(body, timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        raise NotSent(f"{argv[0]} took longer than {timeout_seconds:g} s", is_passing=True) from None
    except BaseException:
        _end(process)
        raise
    if process.returncode:
        raise NotSent(f"{argv[0]} ended with status {process.returncode}", is_passing=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return subprocess.DEVNULL
