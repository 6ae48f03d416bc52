"""Draws a live view: the frame with its faces, rates, and the latest alerts. Opens no window.

The view is uncovered by default; stored stills are covered by default.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from fervid.base.opencv import cv2
from fervid.charts.palette import VERMILION
from fervid.errors import OutputError
from fervid.interpret.causal import LiveFace
from fervid.live.alarms import LiveAlert
from fervid.live.session import Moment, Rates
from fervid.overlay.faces import FaceDrawer, FaceMark, draw_note, note_size, text_size
from fervid.overlay.places import Area
from fervid.overlay.strip import NOTICE
from fervid.overlay.text import line_height, readable_on, rgb_of, shade, text_width, write
from fervid.privacy.audit import note_open_faces
from fervid.privacy.mosaic import cover
from fervid.privacy.search import FaceSearch

Blur = Literal["all", "none"]

LEAST_HEIGHT_PX, MOST_HEIGHT_PX = 480, 1080
"""Smaller frames are enlarged so that text is readable, larger ones are downscaled for speed."""
ALERT_SECONDS = 6.0
"""How long an alert is displayed."""
COVER_SEARCH_SECONDS, COVERED_SECONDS = 1.0, 1.5
"""With covered faces: interval of extra searches, and how long found faces stay covered."""
JPEG_QUALITY = 92


class LivePainter:
    """Draws successive moments of one session. Not thread-safe."""

    def __init__(
        self,
        labels: Sequence[str],
        *,
        bars: bool = True,
        blur: Blur = "none",
        alert_blur: Blur = "all",
        rates: bool = True,
    ) -> None:
        """`alert_blur` covers the faces in stills of alerts, `rates` writes the session's rates into the picture."""
        self._drawer = FaceDrawer(labels, bars=bars)
        self._covers = _LiveCovers() if blur == "all" else None
        self._may_uncover = blur == "none"
        self._alert_blur, self._has_rates, self._has_boxes = alert_blur, rates, True
        self._alerts: deque[tuple[float, LiveAlert]] = deque()

    def choose(self, name: str, *, is_on: bool) -> None:
        """Show or leave out "boxes" (with tags and bars), "bars" or "covers"; a covered view stays covered."""
        if name == "boxes":
            self._has_boxes = is_on
        elif name == "bars":
            self._drawer.bars = is_on
        elif is_on and self._covers is None:
            self._covers = _LiveCovers()
        elif not is_on and self._may_uncover:
            self._covers = None

    def paint(self, moment: Moment) -> np.ndarray:
        """The frame of a moment with everything drawn into it: RGB uint8 (H, W, 3)."""
        rgb = moment.rgb()
        if self._covers is not None:
            rgb = self._covers.cover(rgb, moment)
        self._alerts.extend((moment.seconds, alert) for alert in moment.alerts)
        while self._alerts and self._alerts[0][0] < moment.seconds - ALERT_SECONDS:
            self._alerts.popleft()
        note = rates_in_words(moment.rates) if self._has_rates else ""
        shown = self._with_faces(rgb, moment, note=note)
        size = text_size(shown.shape[0])
        if note:
            draw_note(shown, note, size_px=round(size * 0.8))
        bottom = shown.shape[0]
        for _, alert in reversed(self._alerts):
            bottom -= line_height(size) + size // 2
            background = rgb_of(VERMILION)
            shade(
                shown, 0, bottom, shown.shape[1], bottom + line_height(size) + size // 2, colour=background, share=0.9
            )
            write(shown, alert.text(), size, bottom + size // 4, size_px=size, colour=readable_on(background))
        return shown

    def alert_still(self, moment: Moment) -> np.ndarray:
        """The frame in which an alert was raised: RGB uint8 (H, W, 3)."""
        return self.still(moment, blur=self._alert_blur)

    def still(self, moment: Moment, *, blur: Blur) -> np.ndarray:
        """The frame of a moment for a still, with its faces but without rates: RGB uint8 (H, W, 3)."""
        rgb = moment.rgb()
        if blur == "all":
            boxes = [*moment.scores.detections.boxes, *(face.box for face in moment.faces), *FaceSearch().search(rgb)]
            rgb = cover(rgb, np.array(boxes, np.float64).reshape(-1, 4))
        shown = self._with_faces(rgb, moment)
        size = round(text_size(shown.shape[0]) * 0.8)
        left = shown.shape[1] - text_width(NOTICE, size) - size // 2
        write(shown, NOTICE, left, shown.shape[0] - line_height(size) - size // 2, size_px=size)
        return shown

    def _with_faces(self, rgb: np.ndarray, moment: Moment, *, note: str = "") -> np.ndarray:
        height, width = rgb.shape[:2]
        times = LEAST_HEIGHT_PX / height if height < LEAST_HEIGHT_PX else min(1.0, MOST_HEIGHT_PX / height)
        size = max(1, round(width * moment.pixel_aspect * times)), max(1, round(height * times))
        if size != (width, height):
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if times < 1 else cv2.INTER_LINEAR))
        scale = np.array([size[0] / width, size[1] / height] * 2)
        if not self._has_boxes:
            return rgb
        taken = self._written(note, *size)
        self._drawer.draw(rgb, [_mark(face.box * scale, face) for face in moment.faces], keep_free=taken)
        return rgb

    def _written(self, note: str, width: int, height: int) -> list[Area]:
        """Where the rates and the alerts are written: no tag goes there."""
        size = text_size(height)
        lines = len(self._alerts) * (line_height(size) + size // 2)
        noted = note_size(note, round(size * 0.8)) if note else (0, 0)
        return [(0, 0, *noted), (0, height - lines, width, height)]


class _LiveCovers:
    """Boxes of current and recent faces."""

    def __init__(self) -> None:
        self._search = FaceSearch()
        self._found: deque[tuple[float, np.ndarray]] = deque()
        self._next = float("-inf")

    def cover(self, rgb: np.ndarray, moment: Moment) -> np.ndarray:
        seconds = moment.seconds
        self._found.append((seconds, moment.scores.detections.boxes.astype(np.float64)))
        if seconds >= self._next:
            self._next = seconds + COVER_SEARCH_SECONDS
            self._found.append((seconds, self._search.search(rgb)))
        while self._found[0][0] < seconds - COVERED_SECONDS:
            self._found.popleft()
        return cover(rgb, np.concatenate([boxes for _, boxes in self._found]))


def rates_in_words(rates: Rates) -> str:
    """The rates of a session in one line."""
    line = f"{rates.fps:.1f} fps   {rates.latency_seconds * 1000:.0f} ms   {rates.dropped} dropped"
    return line if rates.status in ("live", "playing") else f"{rates.status}   {line}"


def write_still(folder: Path, painter: LivePainter, moment: Moment, *, blur: Blur = "all") -> Path:
    """Write the frame of a moment as a JPEG and return its path; `blur` "none" is logged in the folder first.

    Raises OutputError when it cannot be written.
    """
    path = folder / f"still-{moment.utc:%Y%m%dT%H%M%S}.{moment.utc.microsecond // 1000:03d}Z.jpg"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if blur == "none":
            note_open_faces(folder, "still with open faces", blur=blur, file=path.name)
        rgb = painter.still(moment, blur=blur)
        encoded, data = cv2.imencode(
            ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )
        assert encoded
        path.write_bytes(data.tobytes())
    except OSError as problem:
        raise OutputError(
            f"{path} cannot be written ({problem.strerror}). Give another folder with --stills."
        ) from None
    return path


def _mark(box: np.ndarray, face: LiveFace) -> FaceMark:
    x0, y0, x1, y1 = box.tolist()
    return FaceMark((x0, y0, x1, y1), face.track_id, face.label, face.confidence, face.answer, face.abstain)
