"""Draws the faces of a frame: box, track, label with confidence, and probabilities as bars.

A label says how a face looks. If it should not be used, the reason is shown instead. Knows nothing of videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fervid.base.opencv import cv2
from fervid.charts.palette import GREY, label_colours
from fervid.overlay.places import Area, Places, Point, Wanted, line_between
from fervid.overlay.text import (
    BLACK,
    WHITE,
    Colour,
    ink,
    lighten,
    line_height,
    readable_on,
    rgb_of,
    shade,
    text_width,
    write,
)
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

    Tags and bars stand beside the faces, over none of them while there is room, and stay where they were.
    """

    def __init__(self, labels: Sequence[str], *, bars: bool = True) -> None:
        self._labels = tuple(labels)
        self._colours = {label: rgb_of(colour) for label, colour in label_colours(labels).items()}
        self.bars = bars
        self._panel_at: tuple[int, _Panel] | None = None
        self._tags, self._panels = Places(_tag_slots, is_needed=True), Places(_panel_slots, is_needed=False)

    def draw(self, rgb: np.ndarray, faces: Sequence[FaceMark], *, keep_free: Sequence[Area] = ()) -> None:
        """Draw faces into a frame RGB uint8 (H, W, 3), in place; `keep_free` are areas for something else."""
        text_px, frame = text_size(rgb.shape[0]), (rgb.shape[1], rgb.shape[0])
        boxes = [_whole(face.box) for face in faces]
        panel = self._panel(text_px) if self.bars and faces else None
        tags, panels = self._places(faces, boxes, keep_free, frame, text_px, panel)
        thickness = max(2, text_px // 7)
        for face, place in zip(faces, panels, strict=True):
            if place is not None and panel is not None:
                self._draw_bars(rgb, face, place, panel)
        for face, box, marks in zip(faces, boxes, zip(tags, panels, strict=True), strict=True):
            for place in marks:
                if place is not None and (line := line_between(place, box)):
                    cv2.line(rgb, *line, BLACK, thickness + 2, cv2.LINE_AA)
                    cv2.line(rgb, *line, self.colour_of(face), thickness, cv2.LINE_AA)
        for face, (x0, y0, x1, y1) in zip(faces, boxes, strict=True):
            cv2.rectangle(rgb, (x0, y0), (x1, y1), BLACK, thickness + 2)
            cv2.rectangle(rgb, (x0, y0), (x1, y1), self.colour_of(face), thickness)
        for face, tag in zip(faces, tags, strict=True):
            if tag is not None:
                colour = self.colour_of(face)
                cv2.rectangle(rgb, tag[:2], (tag[2] - 1, tag[3] - 1), colour, cv2.FILLED)
                write(rgb, face.words(), tag[0] + text_px // 3, tag[1] + 1, size_px=text_px, colour=readable_on(colour))

    def colour_of(self, face: FaceMark) -> Colour:
        """The colour of a face's box and tag."""
        return ABSTAINED if face.abstain is not None else self._colours[face.label]

    def _places(
        self,
        faces: Sequence[FaceMark],
        boxes: Sequence[Area],
        keep_free: Sequence[Area],
        frame: Point,
        text_px: int,
        panel: _Panel | None,
    ) -> tuple[list[Area | None], list[Area | None]]:
        """Where the tag and the bars of each face stand; None for what is not drawn."""
        gap = max(2, text_px // 3)
        high = line_height(text_px) + 2
        tags = [(text_width(face.words(), text_px) + 2 * (text_px // 3), high) for face in faces]
        wanted = [Wanted(face.track_id, box, size) for face, box, size in zip(faces, boxes, tags, strict=True)]
        tag_places = self._tags.find(wanted, boxes, keep_free, frame, gap_px=gap)
        panels: dict[int, Area | None] = {}
        if panel is not None:
            size = panel.size
            with_bars = [i for i, box in enumerate(boxes) if box[3] - box[1] >= LEAST_FACE_SHARE * frame[1]]
            taken = [*keep_free, *(place for place in tag_places if place is not None)]
            found = self._panels.find(
                [Wanted(faces[i].track_id, boxes[i], size, tag_places[i]) for i in with_bars],
                boxes,
                taken,
                frame,
                gap_px=gap,
                reach_px=size[1],
            )
            panels = dict(zip(with_bars, found, strict=True))
        return tag_places, [panels.get(i) for i in range(len(faces))]

    def _panel(self, text_px: int) -> _Panel:
        if self._panel_at is None or self._panel_at[0] != text_px:
            self._panel_at = text_px, _Panel(self._labels, text_px)
        return self._panel_at[1]

    def _draw_bars(self, rgb: np.ndarray, face: FaceMark, place: Area, panel: _Panel) -> None:
        left, top = place[:2]
        texts = panel.names.copy()
        shade(rgb, *place, share=PANEL_SHADE)
        cv2.rectangle(rgb, place[:2], (place[2] - 1, place[3] - 1), self.colour_of(face), 1)
        for i, (label, probability) in enumerate(zip(self._labels, face.probabilities.tolist(), strict=True)):
            y = panel.pad + i * panel.row
            x, low, high = left + panel.bar_left, top + y + panel.row // 5, top + y + panel.row - panel.row // 5
            cv2.rectangle(rgb, (x, low), (x + panel.bar - 1, high), (90, 90, 90), cv2.FILLED)
            if probability * panel.bar >= 1:
                end = x + round(probability * panel.bar) - 1
                cv2.rectangle(rgb, (x, low), (end, high), self._colours[label], cv2.FILLED)
            ink(texts, f"{probability:.2f}", panel.bar_left + panel.bar + panel.pad, y, size_px=panel.text_px)
        lighten(rgb, texts, left, top)


class _Panel:
    """The bars' panel at one text size: its measures, and its labels as a mask."""

    def __init__(self, labels: Sequence[str], text_px: int) -> None:
        self.text_px = size = max(LEAST_TEXT_PX - 1, round(text_px * 0.8))
        self.row, self.pad, self.bar = line_height(size) + 1, max(3, size // 2), 5 * size
        self.bar_left = 2 * self.pad + max(text_width(label, size) for label in labels)
        width = self.bar_left + self.bar + text_width("0.00", size) + 2 * self.pad
        self.size: Point = width, self.row * len(labels) + 2 * self.pad
        self.names = np.zeros(self.size[::-1], np.uint8)
        for i, label in enumerate(labels):
            ink(self.names, label, self.pad, self.pad + i * self.row, size_px=size)


def _whole(box: tuple[float, float, float, float]) -> Area:
    x0, y0, x1, y1 = (round(side) for side in box)
    return x0, y0, x1, y1


def _tag_slots(box: Area, size: Point) -> list[Area]:
    """Above and below a box, from its left side or up to its right one; beside it."""
    (x0, y0, x1, y1), (width, height) = box, size
    corners = [(x0 - 1, y0 - height), (x1 + 1 - width, y0 - height), (x0 - 1, y1 + 1), (x1 + 1 - width, y1 + 1)]
    corners += [(x1 + 1, y0), (x0 - 1 - width, y0), (x1 + 1, y1 - height), (x0 - 1 - width, y1 - height)]
    return [(x, y, x + width, y + height) for x, y in corners]


def _panel_slots(box: Area, size: Point) -> list[Area]:
    """Right and left of a box, in line with its top or its foot, or below and above it."""
    (x0, y0, x1, y1), (width, height) = box, size
    gap = max(3, (x1 - x0) // 24)
    corners = [(x, y) for y in (y0, y1 - height) for x in (x1 + gap, x0 - gap - width)]
    corners += [(x0, y1 + gap), (x0, y0 - gap - height)]
    return [(x, y, x + width, y + height) for x, y in corners]


def text_size(height_px: int) -> int:
    """The text size in a frame of this height."""
    return max(LEAST_TEXT_PX, round(height_px * TEXT_SHARE))


def draw_note(rgb: np.ndarray, text: str, *, size_px: int, colour: Colour = WHITE) -> None:
    """A line in the top left corner, on a dark background."""
    pad = size_px // 2
    shade(rgb, 0, 0, *note_size(text, size_px), share=PANEL_SHADE)
    write(rgb, text, pad, pad // 2, size_px=size_px, colour=colour)


def note_size(text: str, size_px: int) -> Point:
    """Width and height of such a line with its background."""
    return text_width(text, size_px) + 2 * (size_px // 2), line_height(size_px) + size_px // 2
