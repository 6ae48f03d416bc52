"""The two displays of a live view behind one interface. Knows nothing of the analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fervid.overlay.faces import draw_note, text_size

if TYPE_CHECKING:
    from fervid.live.server import LiveServer
    from fervid.live.window import Window


class WindowScreen:
    """A window; while the source is lost it shows the last image with the source's status."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._last: np.ndarray | None = None
        self._told = ""

    def show(self, rgb: np.ndarray, row: dict[str, Any], arrived: float) -> None:  # noqa: ARG002
        self._last, self._told = rgb, str(row["status"])
        self._window.show(rgb)

    def keep(self, rgb: np.ndarray) -> None:
        pass

    def end(self, reason: str) -> None:
        pass

    def tell(self, status: str) -> None:
        if self._last is None or status == self._told:
            return
        self._told = status
        noted = self._last.copy()
        draw_note(noted, status, size_px=text_size(noted.shape[0]))
        self._window.show(noted)

    def command(self) -> str | None:
        return self._window.command()


class BrowserScreen:
    """The page of a live server."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server

    def show(self, rgb: np.ndarray, row: dict[str, Any], arrived: float) -> None:
        self._server.hub.publish(rgb, row, arrived)

    def keep(self, rgb: np.ndarray) -> None:
        self._server.hub.keep(rgb)

    def end(self, reason: str) -> None:
        self._server.hub.reason = reason

    def tell(self, status: str) -> None:
        self._server.hub.tell(status)

    def command(self) -> str | None:
        return self._server.command()
