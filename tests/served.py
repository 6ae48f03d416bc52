"""A review server that really listens, in a thread of the test, and a client that sends addresses as they are."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fervid.review.server import http_server, make_app, open_socket
from fervid.run.handle import Run, open_run

TOKEN = "token-for-tests"


@dataclass(frozen=True)
class Answer:
    """What came back; header names in small letters."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    folder: Path

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie(self) -> dict[str, str]:
        return {"cookie": f"fervid-{self.port}={TOKEN}"}

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Ask as the page would, with the cookie, unless `headers` say otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {**self.cookie, **(headers or {})})
        answer = connection.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def post(self, path: str, content: Any, **headers: str) -> Answer:
        """Send JSON from the own page."""
        sent = {"origin": self.origin, "content-type": "application/json"} | headers
        return self.ask(path, "POST", sent, content if isinstance(content, bytes) else json.dumps(content).encode())


def card(client: Served, end: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in client.ask("/api/runs").json()["runs"] if one["name"].endswith(end))
    return found


def run_of(runs: Path, pattern: str) -> Run:
    return open_run(next(runs.glob(pattern)))


@contextmanager
def serving(folder: Path, *, begins: bool = False, **options: Any) -> Iterator[Served]:
    """Serve the runs of a folder until the end of the block; with `begins` as `fervid serve` begins."""
    listener = open_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    app = make_app([folder], token=TOKEN, port=port, **options)
    server = http_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    if begins:
        app.state.begin()
    try:
        yield Served(port, folder)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
