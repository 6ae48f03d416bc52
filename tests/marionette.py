"""Firefox without a window, driven by its own protocol (Marionette), which needs no driver beside it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

FIREFOX = os.environ.get("FERVID_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
PATIENCE_SECONDS, POLL_SECONDS = 90, 0.1
PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "media.autoplay.default": 0,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


class Firefox:
    """A page in Firefox; `ask` raises RuntimeError with what Firefox says."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self._number = 0
        self._received = b""
        self._read()  # a greeting
        self.ask("WebDriver:NewSession", {"capabilities": {}})

    def close(self) -> None:
        """Leave Firefox."""
        self._socket.close()

    def ask(self, command: str, values: dict[str, Any] | None = None) -> Any:
        """Run a command of WebDriver by its name in Marionette."""
        self._number += 1
        text = json.dumps([0, self._number, command, values or {}]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self._read()
        if error is not None:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript in the page."""
        return self.ask("WebDriver:ExecuteScript", {"script": f"return {expression};", "args": []})["value"]

    def until(self, condition: str) -> None:
        """Ask until an expression holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.evaluate(condition):
            assert time.monotonic() < deadline, f"never came true: {condition}"
            time.sleep(POLL_SECONDS)

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.ask("WebDriver:PerformActions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def _read(self) -> Any:
        while b":" not in self._received:
            self._receive()
        length, _, self._received = self._received.partition(b":")
        while len(self._received) < int(length):
            self._receive()
        text, self._received = self._received[: int(length)], self._received[int(length) :]
        return json.loads(text)

    def _receive(self) -> None:
        found = self._socket.recv(65_536)
        if not found:
            raise RuntimeError("Firefox went away.")
        self._received += found


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """Firefox with a fresh profile until the end of the block."""
    profile.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    values = PREFERENCES | {"marionette.port": port}
    (profile / "user.js").write_text(
        "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in values.items())
    )
    command = [str(FIREFOX), "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with closing(Firefox(_reached(port, process))) as started:
                yield started
        finally:
            process.terminate()
            process.wait(30)


def _reached(port: int, process: subprocess.Popen[bytes]) -> int:
    """The port, once Firefox listens there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert process.poll() is None, "Firefox ended by itself"
        assert time.monotonic() < deadline, "Firefox does not listen"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return port
