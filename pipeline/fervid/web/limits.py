"""Connection limits of fervid's servers, so that no client can block the others.

A request has to be there within `HEADER_SECONDS` of the connection, or of its own first byte on one that is kept alive.
Connections that have not sent one are few: a new one takes the place of the oldest. Whoever sends whole requests, as
browsers do, is never among them. Knows nothing of runs or tokens.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0
BODY_SECONDS = 10.0
MOST_WAITING = 64
"""Connections that have not sent a whole request."""
MOST_CONNECTIONS = 256
"""All connections: far below the usual limit of 1024 files, which videos need as well."""
LARGEST_HEADER_BYTES = 16_384
REPEATED_LOGS = frozenset(("Invalid HTTP request received.", "Unsupported upgrade request."))


def http_config(app: Any, *, lifespan: Any, **options: Any) -> uvicorn.Config:
    """The settings of a server that keeps these limits and logs no line a stranger could make it repeat."""
    logging.getLogger("uvicorn.error").addFilter(_once)
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan=lifespan,
        h11_max_incomplete_event_size=LARGEST_HEADER_BYTES,
        **options,
    )


class PatientProtocol(H11Protocol):
    """A connection that is closed if its request does not arrive, or if too many like it wait."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called for a new connection."""
        super().connection_made(transport)
        self._waiting()[self] = None
        self._await_request()
        if len(self._waiting()) > MOST_WAITING or len(self.connections) > MOST_CONNECTIONS:
            oldest = next(iter(self._waiting()))
            oldest.give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when it is gone."""
        self._request_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called with what a client sent."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._request_came()
        elif self._deadline is None:  # the beginning of another request
            self._waiting()[self] = None
            self._await_request()

    def give_up(self) -> None:
        """Close the connection at once."""
        self._request_came()
        self.transport.abort()

    def _await_request(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.give_up)

    def _request_came(self) -> None:
        self._waiting().pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _waiting(self) -> OrderedDict[PatientProtocol, None]:
        """Connections of this server without a request, the oldest first."""
        state: Any = self.server_state
        if not hasattr(state, "fervid_waiting"):
            state.fervid_waiting = OrderedDict()
        found: OrderedDict[PatientProtocol, None] = state.fervid_waiting
        return found


class _Once(logging.Filter):
    """Lets a message that any client can cause through the first time only."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is logged."""
        text = record.getMessage()
        if text not in REPEATED_LOGS:
            return True
        is_new = text not in self._seen
        self._seen.add(text)
        return is_new


_once = _Once()
