"""Names in any script are drawn with a font of the machine, or as codes where none has their letters."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fervid.charts import fonts
from fervid.charts.figures import make_figure, shorten_name

NAME = "会議室の録画.mp4"


def pixels(text: str, path: Path) -> np.ndarray:
    figure = make_figure(3, 1)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_title(text, parse_math=False)
    fonts.fit_fonts(figure)
    figure.savefig(path)
    return np.asarray(Image.open(path).convert("L"))


def test_the_usual_letters_need_no_other_font() -> None:
    assert fonts.fonts_for("Café №1 — Ärger, Привет, αβγ") == []
    assert fonts.drawable("Café 1.mp4") == "Café 1.mp4"


def test_letters_are_drawn_with_a_font_that_has_them(tmp_path: Path) -> None:
    if not fonts.fonts_for(NAME):
        pytest.skip("no font with Chinese letters on this machine (apt-get install fonts-noto-cjk)")
    assert fonts.drawable(NAME) == NAME
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, other = (pixels(text, tmp_path / f"{i}.png") for i, text in enumerate(("会議", "録画")))
    assert (first != other).any(), "two boxes would look alike"


def test_without_such_a_font_letters_are_codes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fonts, "_families", lambda: ())
    assert fonts.drawable("東.mp4") == r"\u6771.mp4"
    assert len(shorten_name(NAME, 20)) == 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels(fonts.drawable(NAME), tmp_path / "a.png")


def test_a_font_that_cannot_be_read_has_no_letters() -> None:
    assert fonts._letters("No Such Family") == {"\n"}
