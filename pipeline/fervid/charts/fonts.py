"""Fonts of this machine for letters that matplotlib's own font lacks, and codes for letters that no font here has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from fervid.base.printable import one_line

OWN = "DejaVu Sans"
"""The font that comes with matplotlib."""
PREFERRED = (
    "Noto Sans CJK", "Source Han Sans", "Noto Sans", "WenQuanYi", "IPAexGothic", "IPAGothic", "Takao",
    "Droid Sans Fallback", "Yu Gothic", "MS Gothic", "Meiryo", "Microsoft YaHei", "SimHei", "Malgun Gothic",
    "Nirmala UI", "Leelawadee UI", "Segoe UI", "Hiragino Sans", "PingFang", "Apple SD Gothic Neo", "Heiti TC",
    "Arial Unicode MS", "Unifont",
)  # fmt: skip
"""What the names of fonts begin with that are tried for other scripts, the first ones first."""
CODES_NOTE = "letters that no font of this machine has are written as codes"


def fonts_for(text: str) -> list[str]:
    """Families of fonts, besides matplotlib's own, that have letters of `text` which that one lacks."""
    missing = set(text) - _letters(OWN)
    found: list[str] = []
    for family in _families() if missing else ():
        if has := missing & _letters(family):
            found.append(family)
            missing -= has
        if not missing:
            break
    return found


def drawable(text: str) -> str:
    r"""The text with letters that no font here has as codes, such as `\u6771`."""
    known = _letters(OWN).union(*(_letters(family) for family in fonts_for(text)))
    return "".join(letter if letter in known else _code(letter) for letter in one_line(text))


def fit_fonts(figure: Any) -> None:
    """Give a finished figure fonts for all of its texts."""
    from matplotlib.text import Text

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels()  # their texts are only made when they are asked for
    texts = figure.findobj(Text)
    if families := fonts_for("".join(text.get_text() for text in texts)):
        for text in texts:
            text.set_fontfamily([OWN, *families])


def _code(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


@cache
def _families() -> tuple[str, ...]:
    """The installed families of PREFERRED."""
    from matplotlib import font_manager

    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in _new_files(known):  # matplotlib keeps the list of the day when it first looked
        try:
            font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError):
            continue
    names = sorted({entry.name for entry in font_manager.fontManager.ttflist})
    return tuple(dict.fromkeys(name for wanted in PREFERRED for name in names if name.startswith(wanted)))


def _new_files(known: set[str]) -> Iterator[str]:
    from matplotlib.font_manager import findSystemFonts

    wanted = tuple(name.replace(" ", "").lower() for name in PREFERRED)
    for path in sorted(findSystemFonts()):
        name = Path(path).stem.replace(" ", "").lower()
        if path not in known and name.startswith(wanted) and ("regular" in name or "-" not in name):
            yield path


@cache
def _letters(family: str) -> frozenset[str]:
    """The letters of a font; none for one that cannot be read. Line ends need none."""
    from matplotlib import font_manager, ft2font

    try:
        path = font_manager.findfont(font_manager.FontProperties(family=family), fallback_to_default=False)
        return frozenset(map(chr, ft2font.FT2Font(path).get_charmap())) | {"\n"}
    except (OSError, RuntimeError, ValueError):
        return frozenset("\n")
