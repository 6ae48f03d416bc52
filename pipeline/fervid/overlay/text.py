"""Text in images, in matplotlib's font. Rendered words are cached.

Knows nothing of the words' meaning.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.opencv import cv2
from fervid.errors import DependencyMissing

FONT = "mpl-data/fonts/ttf/DejaVuSans.ttf"
KEPT_WORDS = 1024
"""Cache size: texts change with every frame, their words rarely; a word takes about a kilobyte."""
LONGEST_TEXT = 120
SPACE_SHARE = 0.32
"""Width of a space relative to the text size, as in this font."""

Colour = tuple[int, int, int]
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def rgb_of(colour: str) -> Colour:
    """`#RRGGBB` as three levels."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def readable_on(background: Colour) -> Colour:
    """Black or white, whichever stands out more (relative luminance, WCAG 2.1)."""
    linear = ((np.array(background) / 255 + 0.055) / 1.055) ** 2.4
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return BLACK if (luminance + 0.05) ** 2 > 1.05 * 0.05 else WHITE


def text_width(text: str, size_px: int) -> int:
    """Pixels that a text takes."""
    return sum(width for _, width in _words(text, size_px))


def line_height(size_px: int) -> int:
    """Pixels from the top of the highest letters to the bottom of the lowest."""
    ascent, descent = _font(size_px).getmetrics()
    height: int = ascent + descent
    return height


def write(rgb: np.ndarray, text: str, left: int, top: int, *, size_px: int, colour: Colour = WHITE) -> int:
    """Write a text into an image RGB uint8 (H, W, 3), clipped to it. Returns its right edge."""
    for mask, width in _words(text, size_px):
        if mask is not None:
            _blend(rgb, mask, left, top, colour)
        left += width
    return left


def ink(canvas: np.ndarray, text: str, left: int, top: int, *, size_px: int) -> None:
    """Add a text to a mask uint8 (H, W) that has room for it: many texts are then drawn at the price of one."""
    for mask, width in _words(text, size_px):
        if mask is not None:
            canvas[top : top + len(mask), left : left + width] = mask
        left += width


def lighten(rgb: np.ndarray, mask: np.ndarray, left: int, top: int) -> None:
    """Draw a mask uint8 (h, w) in white over a dark area of an image, within it."""
    area = rgb[top : top + len(mask), left : left + len(mask[0])]
    area[:] = cv2.max(area, cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB))


def shade(rgb: np.ndarray, x0: int, y0: int, x1: int, y1: int, *, colour: Colour = BLACK, share: float = 0.6) -> None:
    """Mix a colour into a rectangle, in place."""
    area = rgb[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    levels = np.arange(256, dtype=np.float32)[:, None]
    mixed = levels * np.float32(1 - share) + np.array(colour, np.float32) * np.float32(share)
    if area.size:
        area[:] = cv2.LUT(area, mixed.astype(np.uint8)[None])


def _words(text: str, size_px: int) -> list[tuple[np.ndarray | None, int]]:
    """The words of a text and the spaces between them: a mask (none for a space) and the width of each."""
    space = max(2, round(size_px * SPACE_SHARE))
    parts: list[tuple[np.ndarray | None, int]] = []
    for i, word in enumerate(text[:LONGEST_TEXT].split(" ")):
        if i:
            parts.append((None, space))
        if word:
            mask = _mask(word, size_px)
            parts.append((mask, len(mask[0])))
    return parts


def _blend(rgb: np.ndarray, mask: np.ndarray, left: int, top: int, colour: Colour) -> None:
    height, width = len(mask), len(mask[0])
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(rgb.shape[1], left + width), min(rgb.shape[0], top + height)
    if x0 < x1 and y0 < y1:
        share = mask[y0 - top : y1 - top, x0 - left : x1 - left, None].astype(np.uint16)
        area = rgb[y0:y1, x0:x1]
        area[:] = (area * (255 - share) + np.array(colour, np.uint16) * share + 127) // 255


@lru_cache(maxsize=KEPT_WORDS)
def _mask(text: str, size_px: int) -> np.ndarray:
    """How much of each pixel a word covers: uint8 (h, w)."""
    from PIL import Image, ImageDraw

    font = _font(size_px)
    width = max(1, int(np.ceil(font.getlength(text))))
    image = Image.new("L", (width, line_height(size_px)))
    ImageDraw.Draw(image).text((0, 0), text, font=font, fill=255)
    mask = np.array(image, np.uint8)
    mask.flags.writeable = False
    return mask


@cache
def _font(size_px: int) -> Any:
    from PIL import ImageFont

    package = find_spec("matplotlib")  # found, not imported: that takes a quarter of a second
    folder = Path(package.submodule_search_locations[0]) if package and package.submodule_search_locations else Path()
    if not (folder / FONT).is_file():
        raise DependencyMissing(f"matplotlib's font {folder / FONT} is missing. Reinstall matplotlib.")
    return ImageFont.truetype(str(folder / FONT), size_px)
