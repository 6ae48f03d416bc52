"""Make the clip of `fervid demo`: drawn people in four shots. Knows nothing of analysis.

`demo` has a simpler clip, of a photograph that never changes its expression, for measurements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from fervid.base.opencv import cv2
from fervid.demo.person import Expression, Person, blend, draw_person, over

WIDTH_PX, HEIGHT_PX, FRAME_RATE = 640, 360, 25
BLEND_STEPS = 10
"""Expressions drawn between two; each drawing takes as long as fifteen frames that use one again."""

MAN = Person(skin=(222, 178, 150), hair=(70, 45, 30), shirt=(60, 90, 140), lips=(176, 98, 92))
WOMAN = Person(
    skin=(176, 124, 92),
    hair=(32, 24, 22),
    shirt=(150, 60, 70),
    lips=(160, 70, 74),
    long_hair=True,
    brow_thickness=0.04,
    jaw_width=0.72,
)

# Chosen by a random search so that the shipped network is sure of each in the boxes of two detectors, and when these
# are moved or resized by a tenth; then moved towards what looks natural.
MAN_CALM = Expression(brows_up=-0.04, inner_brows_up=-0.06, outer_brows_up=0.03, eyes_open=0.65, mouth_width=0.85)
WOMAN_CALM = Expression(brows_up=-0.03, inner_brows_up=-0.08, eyes_open=0.62, lower_lids_up=0.2, corners_up=0.08)
HAPPY = Expression(
    brows_up=0.04,
    eyes_open=0.78,
    lower_lids_up=0.35,
    corners_up=0.7,
    mouth_open=0.46,
    mouth_width=1.3,
    teeth=1.0,
    folds=0.45,
    cheeks_up=0.5,
)
ANGRY = Expression(
    brows_up=-0.11,
    inner_brows_up=-0.22,
    outer_brows_up=0.14,
    eyes_open=1.1,
    corners_up=-0.85,
    mouth_width=1.05,
    frown=0.3,
    folds=0.15,
)


@dataclass(frozen=True, slots=True)
class Pose:
    """A person in a shot: the expression at each time in seconds from the start of the shot, and the place."""

    person: Person
    expressions: tuple[tuple[float, Expression], ...]
    centre_x: float
    """Pixels of the frame; the lower edge of the drawing is the frame's."""
    scale: float
    sway: float
    """Radians per second of the head's slow movement."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A part of the clip between two cuts."""

    seconds: float
    background: Callable[[], np.ndarray]
    poses: tuple[Pose, ...] = ()


def _gradient(above: tuple[int, int, int], below: tuple[int, int, int]) -> np.ndarray:
    share = np.linspace(0, 1, HEIGHT_PX)[:, None, None]
    column = (1 - share) * np.array(above) + share * np.array(below)
    return np.asarray(np.round(np.repeat(column, WIDTH_PX, axis=1)), np.uint8)


def _room() -> np.ndarray:
    image = _gradient((196, 202, 204), (158, 160, 158))
    cv2.rectangle(image, (258, 30), (382, 190), (238, 240, 238), -1, cv2.LINE_AA)
    cv2.rectangle(image, (266, 38), (374, 182), (170, 204, 228), -1, cv2.LINE_AA)
    cv2.line(image, (320, 38), (320, 182), (238, 240, 238), 6, cv2.LINE_AA)
    return image


def _corridor() -> np.ndarray:
    image = _gradient((96, 88, 84), (66, 60, 60))
    cv2.fillPoly(image, [np.array([(470, 0), (640, 0), (640, 360), (500, 360)])], (82, 74, 72), cv2.LINE_AA)
    return image


def _hills() -> np.ndarray:
    image = _gradient((120, 170, 220), (222, 232, 238))
    x = np.arange(WIDTH_PX + 1)
    for height, wave, colour in (
        (210, 0.008, (130, 160, 130)),
        (255, 0.013, (88, 130, 84)),
        (300, 0.006, (60, 98, 60)),
    ):
        ridge = height + 26 * np.sin(wave * x + height) + 9 * np.sin(3.1 * wave * x)
        outline = np.concatenate([np.stack([x, ridge], axis=1), [(WIDTH_PX, HEIGHT_PX), (0, HEIGHT_PX)]])
        cv2.fillPoly(image, [np.round(outline).astype(np.int32)], colour, cv2.LINE_AA)
    return image


def _street() -> np.ndarray:
    image = _gradient((236, 214, 178), (184, 158, 132))
    for left, top in ((0, 120), (110, 60), (470, 90), (560, 150)):
        cv2.rectangle(image, (left, top), (left + 90, HEIGHT_PX), (164, 140, 122), -1, cv2.LINE_AA)
    return image


SHOTS = (
    Shot(
        4.0,
        _room,
        (
            Pose(WOMAN, ((0.0, WOMAN_CALM), (1.4, WOMAN_CALM), (1.9, HAPPY)), 165, 0.74, 0.9),
            Pose(MAN, ((0.0, MAN_CALM), (2.0, MAN_CALM), (2.5, HAPPY)), 475, 0.78, 1.1),
        ),
    ),
    Shot(
        5.0,
        _corridor,
        (Pose(MAN, ((0.0, MAN_CALM), (0.9, MAN_CALM), (1.3, ANGRY), (4.0, ANGRY), (4.5, MAN_CALM)), 300, 0.84, 1.3),),
    ),
    Shot(3.0, _hills),
    Shot(3.0, _street, (Pose(WOMAN, ((0.0, HAPPY), (1.8, HAPPY), (2.3, WOMAN_CALM)), 340, 0.84, 1.0),)),
)
"""Two people who begin to smile; one alone, anger-like for three seconds; nobody; the other alone, smiling."""

SECONDS = sum(shot.seconds for shot in SHOTS)


def make_demo_scenes(path: Path) -> Path:
    """Write the clip to `path`, H.264, with a cut between every two of `SHOTS`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for shot in SHOTS:
            background = shot.background()
            for i in range(round(shot.seconds * FRAME_RATE)):
                frame = av.VideoFrame.from_ndarray(draw_frame(shot, background, i / FRAME_RATE), format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def draw_frame(shot: Shot, background: np.ndarray, seconds: float) -> np.ndarray:
    """A frame of a shot, RGB uint8 (H, W, 3), `seconds` after its start."""
    image = background.copy()
    for pose in shot.poses:
        person, opacity = _drawn(pose.person, *_between(pose.expressions, seconds))
        height, width = opacity.shape
        reach = 0.6 * pose.scale * width  # the half width, and some more for the sway
        angle = 0.03 * np.sin(pose.sway * seconds)
        cos, sin = pose.scale * np.cos(angle), pose.scale * np.sin(angle)
        # The middle of the lower edge stays below the frame's; the head sways about it.
        x = pose.centre_x + 8 * np.sin(0.7 * pose.sway * seconds)
        y = HEIGHT_PX + 6 + 3 * np.sin(1.9 * pose.sway * seconds)
        move = np.array(
            [[cos, -sin, x - cos * width / 2 + sin * height], [sin, cos, y - sin * width / 2 - cos * height]]
        )
        left = max(0, round(x - reach))
        size = (min(WIDTH_PX, round(x + reach)) - left, HEIGHT_PX)
        move[0, 2] -= left
        part = slice(left, left + size[0])
        image[:, part] = over(image[:, part], cv2.warpAffine(person, move, size), cv2.warpAffine(opacity, move, size))
    return image


def _between(expressions: tuple[tuple[float, Expression], ...], seconds: float) -> tuple[Expression, Expression, int]:
    """The expressions before and after a time, and how many of `BLEND_STEPS` have passed between them."""
    for (start, before), (end, after) in pairwise(expressions):
        if seconds < end:
            share = (seconds - start) / (end - start) if before != after else 0.0
            return before, after, round(BLEND_STEPS * share)
    return expressions[-1][1], expressions[-1][1], 0


@lru_cache(maxsize=64)
def _drawn(person: Person, before: Expression, after: Expression, step: int) -> tuple[np.ndarray, np.ndarray]:
    return draw_person(person, blend(before, after, step / BLEND_STEPS))
