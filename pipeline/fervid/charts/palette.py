"""The colours of all plots and overlays. Draws nothing.

Okabe and Ito's palette (2008): distinguishable with every common form of colour blindness. Hatches and line styles
help in other cases, and in print.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

BLUE, VERMILION, GREEN, PURPLE, YELLOW, SKY, ORANGE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#F0E442",
    "#56B4E9",
    "#E69F00",
)
GREY, DARK_GREY, LIGHT_GREY = "#777777", "#333333", "#BBBBBB"

COLOURS = {
    "angry": VERMILION,
    "disgust": GREEN,
    "fear": PURPLE,
    "happy": YELLOW,
    "sad": BLUE,
    "surprise": SKY,
    "neutral": LIGHT_GREY,
}
HATCHES = {"angry": "//", "disgust": "..", "fear": "xx", "sad": "\\\\"}
LINES = {"angry": "-", "disgust": "-.", "fear": "--", "happy": "-", "sad": "--", "surprise": ":", "neutral": "-"}
SPARE_COLOURS = (ORANGE, "#000000", "#999933", "#882255")


def label_colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for each label; labels without their own colour share the spare ones."""
    spare = cycle(SPARE_COLOURS)
    return {label: COLOURS.get(label) or next(spare) for label in labels}
