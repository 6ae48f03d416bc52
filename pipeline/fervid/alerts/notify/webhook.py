"""Sends a message as an HTTP request.

    [webhook]
    url = "https://example.org/hook"

A message is JSON without images.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from fervid.alerts.notify import NotSent
from fervid.alerts.notify.section import NotifySection, Seconds
from fervid.base.version import __version__
from fervid.errors import ConfigError

RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Temporary failures; other errors are permanent."""
FROM_ENVIRONMENT = "env:"


class Webhook(NotifySection):
    """An address that takes a POST of JSON. A header's value `env:NAME` is taken from the environment."""

    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    timeout: Seconds = 10.0

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address that begins with https:// or http://")
        return url

    @field_validator("headers")
    @classmethod
    def _are_lines(cls, headers: dict[str, str]) -> dict[str, str]:
        if any(sign in text for item in headers.items() for text in item for sign in "\r\n"):
            raise ValueError("a header is one line")
        return headers

    def prepare(self) -> None:
        """Raises ConfigError when a header needs a variable that is not set."""
        _ = self.filled_headers

    def send(self, body: bytes, message_id: str) -> None:
        """POST the message. Raises NotSent."""
        post(self.url, body, message_id=message_id, headers=self.filled_headers, timeout_seconds=self.timeout)

    @cached_property
    def filled_headers(self) -> dict[str, str]:
        """Headers with those filled in that name a variable of the environment."""
        headers = {}
        for name, value in self.headers.items():
            if value.startswith(FROM_ENVIRONMENT):
                variable = value.removeprefix(FROM_ENVIRONMENT)
                if variable not in os.environ:
                    raise ConfigError(f"header {name} needs the environment variable {variable}, which is not set.")
                value = os.environ[variable]
            headers[name] = value
        return headers


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


def _retry_after(text: str | None) -> float:
    """Seconds of a Retry-After header; dates are ignored."""
    return float(text) if text and text.isascii() and text.isdigit() else 0.0


def _reason(problem: object) -> str:
    return str(getattr(problem, "strerror", None) or problem or type(problem).__name__)
