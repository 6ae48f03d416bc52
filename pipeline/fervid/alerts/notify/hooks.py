"""Two transports: an HTTP request and a command. Each sends one message once, without retries.

A message is JSON without images. A command is started from a list of arguments, never through a shell,
and nothing of a message becomes an argument: it reads the JSON from its standard input.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fervid.base.version import __version__

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Temporary failures; other errors are permanent."""


class NotSent(Exception):
    """A message was not delivered. `is_passing`: a retry may help, after `wait_seconds`."""

    def __init__(self, problem: str, *, is_passing: bool, wait_seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.is_passing, self.wait_seconds = is_passing, wait_seconds


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Messages are sent only to the configured address: redirects are not followed."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class _Closable(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Keeps the connection of a request, so that another thread can close it."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: http.client.HTTPConnection | None = None

    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(self._kept(http.client.HTTPConnection), request)

    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(self._kept(http.client.HTTPSConnection), request)

    def _kept(self, kind: type[http.client.HTTPConnection]) -> Any:
        def connect(*arguments: Any, **options: Any) -> http.client.HTTPConnection:
            self.connection = kind(*arguments, **options)
            return self.connection

        return connect

    def end(self) -> None:
        """Break the connection off, whatever it waits for."""
        socket_of = getattr(self.connection, "sock", None)
        if socket_of is not None:
            with contextlib.suppress(OSError):
                socket_of.shutdown(socket.SHUT_RDWR)


def post(url: str, body: bytes, *, message_id: str, headers: Mapping[str, str], timeout_seconds: float) -> None:
    """POST JSON; any status 2xx means delivered. Raises NotSent without the address's secrets in it.

    All of it takes `timeout_seconds` at most: a receiver that sends a byte now and then is broken off.
    """
    request = urllib.request.Request(url, data=body, method="POST")
    own = {"Content-Type": "application/json", "User-Agent": f"fervid/{__version__}", "Idempotency-Key": message_id}
    for name, value in {**own, **headers}.items():
        request.add_header(name, value)
    where = urlsplit(url).hostname or "the receiver"
    handler, problems = _Closable(), []

    def send() -> None:
        try:
            _send(request, handler, where, timeout_seconds)
        except NotSent as problem:
            problems.append(problem)

    sender = threading.Thread(target=send, name="fervid webhook", daemon=True)
    sender.start()
    sender.join(timeout_seconds)
    if sender.is_alive():
        handler.end()
        raise NotSent(f"{where} took longer than {timeout_seconds:g} s", is_passing=True)
    if problems:
        raise problems[0]


def _send(request: urllib.request.Request, handler: _Closable, where: str, timeout_seconds: float) -> None:
    try:
        with urllib.request.build_opener(_NoRedirect, handler).open(request, timeout=timeout_seconds):
            pass
    except urllib.error.HTTPError as answer:
        with answer:
            wait = _retry_after(answer.headers.get("Retry-After"))
            is_passing = answer.code in RETRY_STATUSES
        raise NotSent(f"{where} answered {answer.code}", is_passing=is_passing, wait_seconds=wait) from None
    except urllib.error.URLError as problem:
        raise NotSent(f"{where} cannot be reached ({_reason(problem.reason)})", is_passing=True) from None
    except (OSError, http.client.HTTPException) as problem:
        raise NotSent(f"{where} broke off ({_reason(problem)})", is_passing=True) from None


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


def _retry_after(text: str | None) -> float:
    """Seconds of a Retry-After header; dates are ignored."""
    return float(text) if text and text.isascii() and text.isdigit() else 0.0


def _reason(problem: object) -> str:
    return str(getattr(problem, "strerror", None) or problem or type(problem).__name__)
