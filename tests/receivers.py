"""A real HTTP receiver on the loopback address that answers as a test wants, for what sends messages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What arrived, and what is answered: the statuses in order, then 200. A status 0 hangs up without an answer."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every answer."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the requests that were taken (answered with 2xx)."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """Headers of all requests."""
    seconds: float = 0.0
    """Waited before each answer."""


@contextmanager
def receiver(*statuses: int, seconds: float = 0.0, headers: dict[str, str] | None = None) -> Iterator[Receiver]:
    """A receiver on a free port for a block."""
    known = Receiver(statuses=list(statuses), seconds=seconds, headers=headers or {})
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            known.requests.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
            closing.wait(known.seconds)
            status = known.statuses.pop(0) if known.statuses else 200
            if status == 0:
                self.close_connection = True
                return
            if 200 <= status < 300:
                known.messages.append(json.loads(body))
            self.send_response(status)
            for name, value in known.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield known
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
