"""Passes the newest image from the analysis thread to all viewers of a page, however slow. No HTTP.

A viewer that is slower than the analysis misses images, never alerts; the analysis never waits for a viewer.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np

from fervid.base.opencv import cv2

JPEG_QUALITY = 80
ALERTS_KEPT = 100
STILL_WIDTH_PX = 640


@dataclass(slots=True)
class Shot:
    """A drawn image and its data. Its JPEG is encoded once, on the first request."""

    number: int
    rgb: np.ndarray
    row: dict[str, Any]
    arrived: float
    _jpeg: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def jpeg(self) -> bytes:
        """The image as JPEG."""
        with self._lock:
            if self._jpeg is None:
                self._jpeg = _jpeg(self.rgb)
            return self._jpeg

    @property
    def age_seconds(self) -> float:
        """How long ago the frame arrived."""
        return monotonic() - self.arrived


# Decision LIV-3.
class Hub:
    """The newest shot, and the last alerts with their numbers. `publish`, `tell` and `close` come from any thread."""

    def __init__(self) -> None:
        self.newest: Shot | None = None
        self.status = ""
        self.is_closed = False
        self.is_attached = threading.Event()
        self.alerts: deque[tuple[int, dict[str, Any]]] = deque(maxlen=ALERTS_KEPT)
        self.stills: dict[int, bytes] = {}
        """JPEGs by the numbers of the kept alerts; they are in memory only."""
        self.reason = ""
        """Why the view ended."""
        self._n_alerts = 0
        self._still: bytes | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None

    def attach(self) -> None:
        """Called once in the loop that the viewers live in."""
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        self.is_attached.set()

    def keep(self, rgb: np.ndarray) -> None:
        """Keep a still RGB uint8 (H, W, 3) for the alerts of the next image."""
        height = max(1, round(rgb.shape[0] * STILL_WIDTH_PX / rgb.shape[1]))
        self._still = _jpeg(cv2.resize(rgb, (STILL_WIDTH_PX, height), interpolation=cv2.INTER_AREA))

    def publish(self, rgb: np.ndarray, row: dict[str, Any], arrived: float) -> None:
        """Show an image. It must not be modified afterwards."""
        number = self.newest.number + 1 if self.newest is not None else 0
        for alert in row["alerts"]:
            still = self._still
            if still is not None:
                self.stills[self._n_alerts] = still
                self.stills.pop(self._n_alerts - ALERTS_KEPT, None)
            told = {"utc": row["utc"], "still": self._n_alerts if still is not None else None}
            self.alerts.append((self._n_alerts, alert | told))
            self._n_alerts += 1
        self._still = None
        self.newest, self.status = Shot(number, rgb, row, arrived), row["status"]
        self._wake()

    def tell(self, status: str) -> None:
        """Show the status of the source while there is no image."""
        if status != self.status:
            self.status = status
            self._wake()

    def close(self) -> None:
        """End the viewers' streams."""
        self.is_closed = True
        self._wake()

    async def change(self, timeout_seconds: float) -> bool:
        """Wait for an update; False on timeout."""
        assert self._changed is not None
        try:
            await asyncio.wait_for(self._changed.wait(), timeout_seconds)
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify)

    def _notify(self) -> None:
        if self._changed is not None:
            waiting, self._changed = self._changed, asyncio.Event()
            waiting.set()


def _jpeg(rgb: np.ndarray) -> bytes:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert encoded
    return data.tobytes()
