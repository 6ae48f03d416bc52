"""Draw a person, head and shoulders, from numbers of the expression. Knows nothing of videos or analysis.

Lengths are in units of about half the width of the face; x points right, y points down, the origin is between the eyes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from fervid.base.opencv import cv2

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

WIDTH_PX, HEIGHT_PX = 300, 420
UNIT_PX = 105.0
ORIGIN_PX = (150.0, 175.0)
SUBPIXEL_BITS = 4
SHADOW_BLUR_PX, LIGHT_BLUR_PX = 5.0, 9.0
SHADOW_STRENGTH, LIGHT_STRENGTH = 0.62, 0.3

INK: Colour = (38, 26, 24)
EYE_WHITE: Colour = (238, 236, 232)
IRIS: Colour = (92, 66, 44)
MOUTH_INSIDE: Colour = (52, 20, 24)
TEETH: Colour = (236, 232, 224)
NOSTRIL: Colour = (95, 60, 52)
MOUTH_Y = 0.93


@dataclass(frozen=True, slots=True)
class Expression:
    """What the face does. All 0 and the two 1 are a calm face; the others go to about 1 where no unit is given."""

    brows_up: float = 0.0
    """Units of length, as are the next two."""
    inner_brows_up: float = 0.0
    outer_brows_up: float = 0.0
    eyes_open: float = 1.0
    lower_lids_up: float = 0.0
    corners_up: float = 0.0
    """Of the mouth; negative for corners that hang."""
    mouth_open: float = 0.0
    mouth_width: float = 1.0
    teeth: float = 0.0
    """Share of the open mouth that they fill."""
    frown: float = 0.0
    folds: float = 0.0
    """From the nose to the corners of the mouth."""
    cheeks_up: float = 0.0


def blend(a: Expression, b: Expression, share: float) -> Expression:
    """The expression on the way from `a` to `b`: `share` 0 gives `a`, 1 gives `b`."""
    names = [field.name for field in fields(Expression)]
    return Expression(**{name: (1 - share) * getattr(a, name) + share * getattr(b, name) for name in names})


@dataclass(frozen=True, slots=True)
class Person:
    """What stays the same whatever the expression."""

    skin: Colour
    hair: Colour
    shirt: Colour
    lips: Colour
    long_hair: bool = False
    brow_thickness: float = 0.055
    jaw_width: float = 0.78


class _Layer:
    """An image to paint on in units of length."""

    def __init__(self, *shape: int) -> None:
        self.pixels = np.zeros(shape, np.uint8)

    def polygon(self, points: np.ndarray, value: Colour | int) -> None:
        cv2.fillPoly(self.pixels, [_fixed_point(points)], _scalar(value), cv2.LINE_AA, SUBPIXEL_BITS)

    def line(self, points: np.ndarray | Sequence[tuple[float, float]], value: Colour | int, width: float) -> None:
        width_px = max(1, round(width * UNIT_PX))
        pixels = [_fixed_point(np.asarray(points))]
        cv2.polylines(self.pixels, pixels, False, _scalar(value), width_px, cv2.LINE_AA, SUBPIXEL_BITS)

    def ellipse(self, centre: Sequence[float] | np.ndarray, radii: tuple[float, float], value: Colour | int) -> None:
        angle = np.linspace(0, 2 * np.pi, 48)
        self.polygon(np.asarray(centre) + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii, value)

    def blurred(self, sigma_px: float) -> np.ndarray:
        """float32 (H, W) in 0..1."""
        return np.asarray(cv2.GaussianBlur(self.pixels, (0, 0), sigma_px), np.float32) / 255


def draw_person(person: Person, expression: Expression) -> tuple[np.ndarray, np.ndarray]:
    """The person in front of nothing: RGB uint8 (H, W, 3) and how opaque it is there, uint8 (H, W)."""
    image, outline = _Layer(HEIGHT_PX, WIDTH_PX, 3), _Layer(HEIGHT_PX, WIDTH_PX)
    if person.long_hair:
        _both(image, outline, _rounded(_LONG_HAIR_BACK), person.hair)
    _both(image, outline, _rounded(_SHOULDERS), person.shirt)
    _both(image, outline, _NECK, _darker(person.skin, 0.78))
    for side in (-1, 1):
        ear = np.array([side, 0.15]) + np.array([[0, -0.26], [0.13, -0.1], [0.1, 0.2], [0, 0.26], [-0.12, 0]])
        _both(image, outline, _rounded(ear), _darker(person.skin, 0.9))
    face = _face_outline(person)
    _both(image, outline, face, person.skin)
    _shade(image, face, expression)
    _draw_nose(image, person)
    for side in (-1, 1):
        _draw_eye(image, person, expression, side)
        _draw_brow(image, person, expression, side)
    _draw_mouth(image, person, expression)
    _both(image, outline, _rounded(_LONG_HAIR_FRONT if person.long_hair else _SHORT_HAIR), person.hair)
    return image.pixels, outline.pixels


def _face_outline(person: Person) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 64)
    x, y = np.cos(angle), np.sin(angle)
    below = np.maximum(y, 0)
    return np.stack(
        [0.98 * x * (1 - (1 - person.jaw_width) * below**1.5), np.where(y > 0, 1.45, 1.2) * y + 0.12], axis=1
    )


def _shade(image: _Layer, face: np.ndarray, expression: Expression) -> None:
    """Light from the front above, and the folds that the expression makes in the skin."""
    inside, dark, bright = (_Layer(HEIGHT_PX, WIDTH_PX) for _ in range(3))
    inside.polygon(face, 255)
    fold, frown = (round(255 * min(1.0, max(0.0, v))) for v in (0.8 * expression.folds, expression.frown))
    for side in (-1, 1):
        dark.ellipse((side * 0.43, -0.02), (0.3, 0.17), 70)
        dark.line(_curve((side * 0.12, -0.25), (side * 0.1, 0.2), (side * 0.2, 0.5)), 60, 0.06)
        dark.ellipse((side * 0.13, 0.58), (0.09, 0.04), 90)
        dark.ellipse((side * 0.95, 0.55), (0.22, 0.8), 70)
        cheek_x = side * (0.5 + 0.08 * expression.mouth_width)
        dark.line(_curve((side * 0.23, 0.48), (side * 0.48, 0.62), (cheek_x, 0.95)), fold, 0.05)
        dark.line(_curve((side * 0.07, -0.42), (side * 0.05, -0.3), (side * 0.09, -0.18)), frown, 0.045)
        cheek = round(60 + 80 * expression.cheeks_up)
        bright.ellipse((side * 0.55, 0.45 - 0.06 * expression.cheeks_up), (0.22, 0.16), cheek)
    dark.line([(-0.18, -0.12), (0, -0.1), (0.18, -0.12)], frown // 2, 0.04)
    dark.ellipse((0, 1.17 + 0.05 * expression.mouth_open), (0.25, 0.05), 70)
    dark.ellipse((0, 1.55), (0.6, 0.12), 80)
    bright.ellipse((0, -0.6), (0.5, 0.25), 60)
    bright.line([(0, -0.15), (0, 0.45)], 90, 0.09)
    bright.ellipse((0, 1.33), (0.2, 0.1), 50)
    change = LIGHT_STRENGTH * bright.blurred(LIGHT_BLUR_PX) - SHADOW_STRENGTH * dark.blurred(SHADOW_BLUR_PX)
    factor = 1 + change * (inside.pixels.astype(np.float32) / 255)
    image.pixels = np.clip(image.pixels * factor[..., None], 0, 255).astype(np.uint8)


def _draw_nose(image: _Layer, person: Person) -> None:
    for side in (-1, 1):
        image.ellipse((side * 0.1, 0.59), (0.055, 0.028), NOSTRIL)
        wing = _curve((side * 0.21, 0.48), (side * 0.26, 0.6), (side * 0.15, 0.63))
        image.line(wing, _darker(person.skin, 0.62), 0.018)


def _draw_eye(image: _Layer, person: Person, expression: Expression, side: int) -> None:
    centre = np.array([side * 0.43, 0.0])
    opened = max(0.04, expression.eyes_open)
    inner, outer = centre + _xy(-side * 0.23, 0.03), centre + _xy(side * 0.24, -0.01)
    upper = _curve(inner, centre + _xy(-side * 0.02, -0.3 * opened), outer)
    lower = _curve(outer, centre + _xy(0, 0.2 * opened * (1 - expression.lower_lids_up) + 0.02), inner)
    ball, hole = _Layer(HEIGHT_PX, WIDTH_PX, 3), _Layer(HEIGHT_PX, WIDTH_PX)
    hole.polygon(np.concatenate([upper, lower]), 255)
    ball.ellipse(centre, (0.3, 0.3), EYE_WHITE)
    ball.ellipse(centre + _xy(0, -0.01), (0.135, 0.135), IRIS)
    ball.ellipse(centre + _xy(0, -0.01), (0.065, 0.065), INK)
    ball.ellipse(centre + _xy(0.04, -0.06), (0.03, 0.03), (255, 255, 255))
    image.pixels = over(image.pixels, ball.pixels, hole.pixels)
    image.line(upper, INK, 0.045)
    image.line(lower, _darker(person.skin, 0.55), 0.018)
    image.line(upper + _xy(0, -0.07 - 0.02 * expression.eyes_open), _darker(person.skin, 0.68), 0.02)


def _draw_brow(image: _Layer, person: Person, expression: Expression, side: int) -> None:
    both_ends = expression.inner_brows_up + expression.outer_brows_up
    inner = np.array([side * 0.15, -0.30 - expression.brows_up - expression.inner_brows_up])
    middle = np.array([side * 0.45, -0.46 - expression.brows_up - both_ends / 2])
    outer = np.array([side * 0.74, -0.27 - expression.brows_up - expression.outer_brows_up])
    half = np.array([0, person.brow_thickness])
    brow = np.concatenate([_curve(inner - half, middle - half, outer), _curve(outer, middle + half, inner + half)])
    image.polygon(brow, _darker(person.hair, 0.8))


def _draw_mouth(image: _Layer, person: Person, expression: Expression) -> None:
    half_width = 0.36 * expression.mouth_width
    corner_y, middle_y = MOUTH_Y - 0.16 * expression.corners_up, MOUTH_Y + 0.1 * expression.corners_up
    left, right = np.array([-half_width, corner_y]), np.array([half_width, corner_y])
    gap = 0.34 * expression.mouth_open
    peak_x, peak_y, dip_y = 0.2 * expression.mouth_width, middle_y - 0.12 - 0.35 * gap, middle_y - 0.1 - 0.4 * gap
    upper_lip = [_curve(left, (-peak_x, peak_y), (-0.05, dip_y)), _curve((0.05, dip_y), (peak_x, peak_y), right)]
    lower_lip = _curve(right, (0, 2 * (middle_y + 0.1 + 0.62 * gap) - corner_y), left)
    image.polygon(np.concatenate([*upper_lip, lower_lip]), person.lips)
    inset = np.array([0.03, 0])
    upper_edge = _curve(left + inset, (0, 2 * (middle_y - 0.35 * gap) - corner_y), right - inset)
    if gap <= 0.01:
        image.line(upper_edge, _darker(person.lips, 0.5), 0.03)
        return
    lower_edge = _curve(right - inset, (0, 2 * (middle_y + 0.6 * gap) - corner_y), left + inset)
    inside, row = _Layer(HEIGHT_PX, WIDTH_PX), _Layer(HEIGHT_PX, WIDTH_PX)
    inside.polygon(np.concatenate([upper_edge, lower_edge]), 255)
    row.polygon(np.concatenate([upper_edge, upper_edge[::-1] + _xy(0, 0.75 * gap * expression.teeth)]), 255)
    image.polygon(np.concatenate([upper_edge, lower_edge]), MOUTH_INSIDE)
    teeth = np.full_like(image.pixels, TEETH)
    image.pixels = over(image.pixels, teeth, np.minimum(inside.pixels, row.pixels))


def over(below: np.ndarray, above: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay an image on another of its size: uint8 (H, W, 3) twice, opacity uint8 (H, W)."""
    share = opacity[..., None].astype(np.uint16)
    return np.asarray((below * (255 - share) + above * share + 127) // 255, np.uint8)


def _both(image: _Layer, outline: _Layer, points: np.ndarray, colour: Colour) -> None:
    image.polygon(points, colour)
    outline.polygon(points, 255)


def _curve(
    start: Sequence[float] | np.ndarray, control: Sequence[float] | np.ndarray, end: Sequence[float] | np.ndarray
) -> np.ndarray:
    """A quadratic Bézier curve as points float64 (16, 2)."""
    t = np.linspace(0, 1, 16)[:, None]
    return np.asarray((1 - t) ** 2 * np.asarray(start) + 2 * t * (1 - t) * np.asarray(control) + t**2 * np.asarray(end))


def _xy(x: float, y: float) -> np.ndarray:
    return np.array([x, y])


def _rounded(points: np.ndarray, times: int = 3) -> np.ndarray:
    """A closed polygon with its corners cut off again and again (Chaikin 1974)."""
    for _ in range(times):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1).reshape(-1, 2)
    return points


def _darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = (round(level * factor) for level in colour)
    return red, green, blue


def _scalar(value: Colour | int) -> Colour:
    return (value, value, value) if isinstance(value, int) else value


def _fixed_point(points: np.ndarray) -> np.ndarray:
    return np.round((points * UNIT_PX + ORIGIN_PX) * (1 << SUBPIXEL_BITS)).astype(np.int32)


def _mirrored(right_half: list[tuple[float, float]]) -> np.ndarray:
    """A closed outline from its right half, from the middle above to the middle below."""
    half = np.array(right_half)
    return np.concatenate([half, half[::-1] * [-1, 1]])


_SHOULDERS = _mirrored([(0.2, 1.55), (0.45, 1.6), (0.9, 1.75), (1.4, 1.95), (1.5, 2.6), (1.5, 2.8)])
_NECK = _mirrored([(0, 0.9), (0.45, 0.9), (0.44, 1.62), (0, 1.95)])
_SHORT_HAIR = np.array(
    [
        (-1.02, 0.05),
        (-1.08, -0.5),
        (-0.95, -1.05),
        (-0.5, -1.38),
        (0, -1.44),
        (0.5, -1.4),
        (0.97, -1.05),
        (1.08, -0.5),
        (1.02, 0.05),
        (0.9, -0.3),
        (0.82, -0.62),
        (0.4, -0.8),
        (0, -0.74),
        (-0.4, -0.8),
        (-0.8, -0.62),
        (-0.9, -0.3),
    ]
)
_LONG_HAIR_BACK = _mirrored(
    [(0.2, -1.5), (0.7, -1.4), (1.12, -0.9), (1.2, -0.1), (1.22, 0.8), (1.25, 1.55), (0.9, 1.75), (0.2, 1.6)]
)
_LONG_HAIR_FRONT = np.array(
    [
        (-1.08, 0.45),
        (-1.12, -0.4),
        (-0.95, -1.0),
        (-0.5, -1.4),
        (0, -1.5),
        (0.5, -1.4),
        (0.95, -1.0),
        (1.12, -0.4),
        (1.08, 0.45),
        (0.94, -0.05),
        (0.8, -0.5),
        (0.3, -0.85),
        (-0.1, -0.95),
        (-0.5, -0.65),
        (-0.85, -0.2),
        (-0.95, 0.3),
    ]
)
