"""The timeline of a video as a strip below its frames: expressions over time, alerts, the current position.

Knows nothing of faces or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fervid.base.clock import clock
from fervid.base.opencv import cv2
from fervid.charts.palette import LIGHT_GREY, VERMILION, label_colours
from fervid.overlay.text import Colour, line_height, rgb_of, text_width, write

BACKGROUND: Colour = (24, 24, 24)
EMPTY: Colour = (52, 52, 52)
CURSOR: Colour = (255, 255, 255)
NOTICE = "Labels say how a face looks, not what a person feels."


@dataclass(frozen=True, slots=True)
class Bins:
    """Expressions over time: `edges` (n, 2) in seconds, `means` (n, C) NaN where no face is usable, `coverage` (n,)."""

    edges: np.ndarray
    means: np.ndarray
    coverage: np.ndarray


class TimelineStrip:
    """A strip of one width for one part of a video. Only the cursor and the clock change from frame to frame."""

    def __init__(
        self,
        bins: Bins,
        labels: Sequence[str],
        *,
        start_seconds: float,
        end_seconds: float,
        width_px: int,
        text_px: int,
        alerts: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._start, self._end, self._text_px = start_seconds, max(end_seconds, start_seconds + 1e-3), text_px
        pad = max(4, text_px // 2)
        line = line_height(text_px)
        self._chart = slice(pad + max(3, pad // 2), pad + max(3, pad // 2) + 3 * line)
        self._clock_top = self._chart.stop + pad // 2
        self._left, self._right = pad, width_px - pad
        legend = self._legend(labels)
        height = max((top for _, _, top in legend), default=self._clock_top) + line + pad // 2
        self._ground = np.empty((height + height % 2, width_px, 3), np.uint8)
        self._ground[:] = BACKGROUND
        self._draw_chart(bins, labels)
        for first, last in alerts:
            x0, x1 = self._x(first), max(self._x(last), self._x(first) + 2)
            self._ground[pad // 2 : self._chart.start - 2, x0:x1] = rgb_of(VERMILION)
        self._draw_legend(labels)

    @property
    def height_px(self) -> int:
        """Pixels that the strip adds below a frame: an even number."""
        return int(self._ground.shape[0])

    def at(self, seconds: float) -> np.ndarray:
        """The strip at a moment: RGB uint8 (h, W, 3)."""
        strip = self._ground.copy()
        x = self._x(seconds)
        strip[self._chart.start - 3 : self._chart.stop + 3, max(0, x - 1) : x + 1] = CURSOR
        text = self._clock_text(seconds)
        write(strip, text, self._left, self._clock_top, size_px=self._text_px)
        return strip

    def _clock_text(self, seconds: float) -> str:
        return f"{clock(seconds, hides_hours=True)} / {clock(self._end, hides_hours=True)}"

    def _x(self, seconds: float) -> int:
        share = (seconds - self._start) / (self._end - self._start)
        return self._left + round(min(1.0, max(0.0, share)) * (self._right - self._left - 1))

    def _draw_chart(self, bins: Bins, labels: Sequence[str]) -> None:
        """Stacked means, as high as the share of the time with a usable face: an empty column says that none was."""
        chart = self._ground[self._chart, self._left : self._right]
        chart[:] = EMPTY
        rows, columns = chart.shape[:2]
        middles = self._start + (np.arange(columns) + 0.5) / columns * (self._end - self._start)
        colours = np.array([rgb_of(colour) for colour in label_colours(labels).values()], np.uint8)
        heights = np.nan_to_num(bins.means) * np.nan_to_num(bins.coverage)[:, None]
        tops = np.round(np.cumsum(heights, axis=1) * rows).astype(int)
        for column, bin_ in enumerate(np.searchsorted(bins.edges[:, 1], middles, side="right").tolist()):
            if bin_ >= len(bins.edges) or middles[column] < bins.edges[bin_, 0]:
                continue
            low = 0
            for colour, top in zip(colours, tops[bin_].tolist(), strict=True):
                chart[rows - min(top, rows) : rows - low, column] = colour
                low = min(top, rows)

    def _legend(self, labels: Sequence[str]) -> list[tuple[str, int, int]]:
        """Each label with its place: to the right of the clock, and in further lines where the width ends."""
        size = self._text_px
        x, top = self._left + text_width(self._clock_text(self._end), size) + 2 * size, self._clock_top
        places = []
        for label in labels:
            width = size + text_width(label, size)
            if x + width > self._right and x > self._left:
                x, top = self._left, top + line_height(size)
            places.append((label, x, top))
            x += width + size
        return places

    def _draw_legend(self, labels: Sequence[str]) -> None:
        """Each label's colour; then the notice, as far as there is room."""
        size, x, top = self._text_px, self._left, self._clock_top
        colours = label_colours(labels)
        for label, left, top in self._legend(labels):
            middle = top + line_height(size) // 2 - size // 3
            corner = left + 2 * size // 3, middle + 2 * size // 3
            cv2.rectangle(self._ground, (left, middle), corner, rgb_of(colours[label]), cv2.FILLED)
            x = write(self._ground, label, left + size, top, size_px=size) + size
        if x + text_width(NOTICE, size) <= self._right:
            left = self._right - text_width(NOTICE, size)
            write(self._ground, NOTICE, left, top, size_px=size, colour=rgb_of(LIGHT_GREY))
