"""Draws the faces of a frame: box, track, label with confidence, and probabilities as bars.

A label says how a face looks. If it should not be used, the reason is shown instead. Knows nothing of videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fervid.base.opencv import cv2
from fervid.charts.palette import GREY, label_colours
from fervid.overlay.text import BLACK, WHITE, Colour, line_height, readable_on, rgb_of, shade, text_width, write
from fervid.run.usable import UNSURE

LOOKS = {"angry": "angry", "disgust": "disgusted", "fear": "afraid", "happy": "happy", "sad": "sad"} | {
    "surprise": "surprised",
    "neutral": "neutral",
}
REASONS = {
    "too_small": "too small",
    "dark": "too dark",
    "bright": "too bright",
    "blurred": "too blurred",
    "turned": "turned too far",
    "tilted": "tilted too far",
    "low_quality": "too low quality",
    "static": "never moves: a poster?",
    UNSURE: "between two expressions",
}
ABSTAINED = rgb_of(GREY)
TEXT_SHARE, LEAST_TEXT_PX = 1 / 38, 11
"""Text height as a share of the frame height."""
PANEL_SHADE = 0.62
LEAST_FACE_SHARE = 0.1
"""Bars are drawn for faces at least this high, as a share of the frame: beside smaller ones they would hide much."""
SIDES = ("right", "left")


@dataclass(frozen=True, slots=True)
class FaceMark:
    """A face to draw: box xyxy in pixels of the frame, smoothed probabilities (C,)."""

    box: tuple[float, float, float, float]
    track_id: int
    label: str
    confidence: float
    probabilities: np.ndarray
    abstain: str | None = None
    """Why the label should not be used."""

    def words(self) -> str:
        """The text above the box."""
        if self.abstain is not None:
            return f"#{self.track_id}  {REASONS.get(self.abstain, self.abstain)}"
        return f"#{self.track_id}  looks {LOOKS.get(self.label, self.label)}  {self.confidence:.2f}"


class FaceDrawer:
    """Draws the faces of one video, frame by frame.

    It remembers on which side of a face its bars stood, so that they do not jump from frame to frame.
    """

    def __init__(self, labels: Sequence[str], *, bars: bool = True) -> None:
        self._labels = tuple(labels)
        self._colours = {label: rgb_of(colour) for label, colour in label_colours(labels).items()}
        self._bars = bars
        self._sides: dict[int, str] = {}

    def draw(self, rgb: np.ndarray, faces: Sequence[FaceMark]) -> None:
        """Draw faces into a frame RGB uint8 (H, W, 3), in place."""
        text_px = text_size(rgb.shape[0])
        boxes = [tuple(round(side) for side in face.box) for face in faces]
        tags: list[tuple[int, ...]] = []
        for face, box in zip(faces, boxes, strict=True):
            tags.append(self._tag_place(rgb, face, box, tags, [other for other in boxes if other != box], text_px))
        self._sides = {face.track_id: self._sides[face.track_id] for face in faces if face.track_id in self._sides}
        if self._bars:
            taken = [*boxes, *tags]
            for face, box in zip(faces, boxes, strict=True):
                if box[3] - box[1] >= LEAST_FACE_SHARE * rgb.shape[0]:
                    taken += self._draw_bars(rgb, face, box, taken, text_px)
        thickness = max(2, text_px // 7)
        for face, (x0, y0, x1, y1) in zip(faces, boxes, strict=True):
            cv2.rectangle(rgb, (x0, y0), (x1, y1), BLACK, thickness + 2)
            cv2.rectangle(rgb, (x0, y0), (x1, y1), self.colour_of(face), thickness)
        for face, tag in zip(faces, tags, strict=True):
            colour = self.colour_of(face)
            cv2.rectangle(rgb, tag[:2], (tag[2] - 1, tag[3] - 1), colour, cv2.FILLED)
            write(rgb, face.words(), tag[0] + text_px // 3, tag[1] + 1, size_px=text_px, colour=readable_on(colour))

    def colour_of(self, face: FaceMark) -> Colour:
        """The colour of a face's box and tag."""
        return ABSTAINED if face.abstain is not None else self._colours[face.label]

    def _tag_place(
        self,
        rgb: np.ndarray,
        face: FaceMark,
        box: tuple[int, ...],
        tags: Sequence[tuple[int, ...]],
        others: Sequence[tuple[int, ...]],
        text_px: int,
    ) -> tuple[int, int, int, int]:
        """Above the box, else below it or at its edge: avoiding other tags and, if possible, faces."""
        height, width = line_height(text_px) + 2, text_width(face.words(), text_px) + 2 * (text_px // 3)
        left = max(0, min(box[0] - 1, rgb.shape[1] - width))
        tops = [box[1] - height, box[3], box[3] - height, box[1] - 2 * height]
        places = [(left, top, left + width, top + height) for top in tops if 0 <= top <= rgb.shape[0] - height]
        free = [place for place in places if not any(_overlap(place, tag) for tag in tags)]
        best = [place for place in free if not any(_overlap(place, other) for other in others)]
        top = max(0, min(tops[0], rgb.shape[0] - height))
        return (*best, *free, (left, top, left + width, top + height))[0]

    def _draw_bars(
        self, rgb: np.ndarray, face: FaceMark, box: tuple[int, ...], taken: Sequence[tuple[int, ...]], text_px: int
    ) -> list[tuple[int, ...]]:
        """The panel beside a face, if there is room; returns its area, or None."""
        size = max(LEAST_TEXT_PX - 1, round(text_px * 0.8))
        row, pad = line_height(size) + 1, max(3, size // 2)
        names = max(text_width(label, size) for label in self._labels)
        value, bar = text_width("0.00", size), 5 * size
        width, height = names + bar + value + 4 * pad, row * len(self._labels) + 2 * pad
        preferred = self._sides.get(face.track_id)
        for side in sorted(SIDES, key=lambda name: name != preferred):
            left = box[2] + pad if side == "right" else box[0] - pad - width
            top = max(0, min(box[1], rgb.shape[0] - height))
            place = left, top, left + width, top + height
            fits = left >= 0 and left + width <= rgb.shape[1] and height <= rgb.shape[0]
            if fits and not any(_overlap(place, other) for other in taken):
                break
        else:
            self._sides.pop(face.track_id, None)
            return []
        self._sides[face.track_id] = side
        shade(rgb, *place, share=PANEL_SHADE)
        for i, (label, probability) in enumerate(zip(self._labels, face.probabilities.tolist(), strict=True)):
            y = top + pad + i * row
            write(rgb, label, left + pad, y, size_px=size)
            x = left + 2 * pad + names
            low, high = y + row // 5, y + row - row // 5
            cv2.rectangle(rgb, (x, low), (x + bar - 1, high), (90, 90, 90), cv2.FILLED)
            if probability * bar >= 1:
                end = x + round(probability * bar) - 1
                cv2.rectangle(rgb, (x, low), (end, high), self._colours[label], cv2.FILLED)
            write(rgb, f"{probability:.2f}", x + bar + pad, y, size_px=size)
        return [place]


def text_size(height_px: int) -> int:
    """The text size in a frame of this height."""
    return max(LEAST_TEXT_PX, round(height_px * TEXT_SHARE))


def draw_note(rgb: np.ndarray, text: str, *, size_px: int, colour: Colour = WHITE) -> None:
    """A line in the top left corner, on a dark background."""
    pad = size_px // 2
    shade(rgb, 0, 0, text_width(text, size_px) + 2 * pad, line_height(size_px) + pad, share=PANEL_SHADE)
    write(rgb, text, pad, pad // 2, size_px=size_px, colour=colour)


def _overlap(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
