"""The plot of a timeline: long ones are reduced to the columns of the image, with means that still weigh time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fervid.charts.figures import shorten_name
from fervid.charts.timeline import MAX_COLUMNS, NO_FACE_HATCH, Marked, _columns, plot_timeline

LABELS = ("angry", "happy", "neutral")


def timeline(n_bins: int, *, happy: np.ndarray, coverage: np.ndarray) -> pa.Table:
    start = np.arange(n_bins, dtype=float)
    none = coverage == 0
    means = {"angry": np.zeros(n_bins), "happy": happy, "neutral": 1 - happy}
    return pa.table(
        {
            "start_s": start,
            "end_s": start + 1,
            "observed_s": np.ones(n_bins, np.float32),
            "coverage": coverage.astype(np.float32),
            "mean_faces": coverage.astype(np.float32),
            **{f"mean_{name}": pa.array(values, mask=none, type=pa.float32()) for name, values in means.items()},
        }
    )


@pytest.mark.parametrize("n_bins", [1, 7, MAX_COLUMNS, MAX_COLUMNS + 1, 3 * 3600, 1_000_003])
def test_columns_keep_the_weighted_mean_and_the_whole_time(n_bins: int) -> None:
    rng = np.random.default_rng(n_bins)
    happy, coverage = rng.random(n_bins), rng.choice([0.0, 0.4, 1.0], n_bins)
    columns = _columns(timeline(n_bins, happy=happy, coverage=coverage), LABELS)
    assert len(columns.mean_faces) <= MAX_COLUMNS
    assert (columns.edges[0], columns.edges[-1]) == (0, n_bins)
    assert np.all(np.diff(columns.edges) > 0)
    per_column = np.diff(columns.edges)
    assert columns.mean_faces @ per_column == pytest.approx(coverage.sum(), rel=1e-5, abs=1e-6)
    size = -(-n_bins // MAX_COLUMNS)
    for column in (0, len(columns.mean_faces) - 1):
        part = slice(column * size, (column + 1) * size)
        weight = coverage[part].sum()
        expected = (happy[part] * coverage[part]).sum() / weight if weight else 0.0
        assert columns.means["happy"][column] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("coverage", [0.0, 1.0])
def test_a_week_is_drawn_with_and_without_faces(tmp_path: Path, coverage: float) -> None:
    n_bins = 7 * 24 * 3600
    table = timeline(n_bins, happy=np.full(n_bins, 0.5), coverage=np.full(n_bins, coverage))
    assert len(plot_timeline(table, LABELS, tmp_path / "timeline.png", title="camera.mp4")) == 64
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that were saved, in order."""
    from matplotlib.figure import Figure

    figures: list[Any] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *given, **k: (figures.append(figure), save(figure, *given, **k))
    )
    return figures


def ticks_of(figure: Any) -> list[str]:
    return [label.get_text() for label in figure.axes[-1].get_xticklabels()]


def legend_of(figure: Any) -> list[str]:
    return [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]


@pytest.mark.parametrize(
    ("n_bins", "expected"),
    [
        (60, ["00:30\n22:00:30", "01:00\n22:01:00"]),
        (3600, ["00:00\n22:00:00", "1:00:00\n23:00:00"]),
        (3 * 86_400, ["12:00:00\n11-21 10:00", "72:00:00\n11-23 22:00"]),
    ],
)
def test_times_are_clocks_and_the_axis_shows_the_time_of_day(
    tmp_path: Path, drawn: list[Any], n_bins: int, expected: list[str]
) -> None:
    table = timeline(n_bins, happy=np.full(n_bins, 0.5), coverage=np.ones(n_bins))
    zone = timezone(timedelta(hours=1))
    for recorded in (None, datetime(2026, 11, 20, 22), datetime(2026, 11, 20, 22, tzinfo=zone)):
        plot_timeline(table, LABELS, tmp_path / "timeline.png", title="camera.mp4", recorded=recorded)
    plain, local, zoned = (figure.axes[1] for figure in drawn)
    assert plain.get_xlabel() == "time"
    assert local.get_xlabel() == "time, and by the clock (2026-11-20, local time)"
    assert zoned.get_xlabel() == "time, and by the clock (2026-11-20, UTC+01:00)"
    assert set(expected) <= set(ticks_of(drawn[1]))
    assert ticks_of(drawn[1]) == ticks_of(drawn[2])
    assert {text.partition("\n")[0] for text in expected} <= set(ticks_of(drawn[0]))


def test_alerts_cuts_and_stretches_without_a_face_are_drawn_and_named(tmp_path: Path, drawn: list[Any]) -> None:
    table = timeline(20, happy=np.full(20, 0.5), coverage=np.r_[np.ones(12), np.zeros(8)])
    marked = [Marked(2.0, 4.0, is_alert=True), Marked(6.0, 9.0, is_alert=False)]
    plot_timeline(table, LABELS, tmp_path / "p.png", title="v", cuts=[5.0, 12.0], marked=marked)
    plot_timeline(table.slice(0, 12), LABELS, tmp_path / "p.png", title="v")
    plot_timeline(table.slice(12), LABELS, tmp_path / "p.png", title="v", cuts=[float(i) / 100 for i in range(200)])
    rich, plain, empty = drawn
    extra = {"no usable face", "cut", "alert, needs review", "notice, needs review"}
    assert set(legend_of(rich)) == {*LABELS, *extra}
    assert set(legend_of(plain)) == set(LABELS)
    assert {"no usable face", "200 cuts, not drawn"} <= set(legend_of(empty))
    bars = [path.vertices for group in rich.axes[0].collections for path in group.get_paths()]
    assert sorted((bar[:, 0].min(), bar[:, 0].max()) for bar in bars) == [(2.0, 4.0), (6.0, 9.0)]
    hatched = [patch for patch in rich.axes[1].patches if patch.get_hatch() == NO_FACE_HATCH]
    assert [patch.get_data().values.tolist() for patch in hatched] == [[False] * 12 + [True] * 8]


def test_agitated_motion_is_drawn_below_where_it_was_measured(tmp_path: Path) -> None:
    plain = timeline(20, happy=np.zeros(20), coverage=np.ones(20))
    agitation = pa.array([None] * 10 + [0.5] * 10, pa.float32())
    measured = plain.append_column("agitation", agitation).append_column(
        "camera_moves", pa.array([1.0] * 10 + [0.0] * 10, pa.float32())
    )
    columns = _columns(measured, LABELS)
    assert columns.agitation is not None
    assert np.isnan(columns.agitation[:10]).all()
    assert columns.agitation[10:] == pytest.approx(0.5)
    assert columns.camera_moves.tolist() == [1.0] * 10 + [0.0] * 10
    assert _columns(plain, LABELS).agitation is None
    hashes = {plot_timeline(table, LABELS, tmp_path / "p.png", title="v") for table in (plain, measured)}
    assert len(hashes) == 2


def test_the_highest_agitation_of_many_bins_is_kept() -> None:
    n = 3 * MAX_COLUMNS
    values = np.full(n, 0.1)
    values[100] = 0.9
    table = timeline(n, happy=np.zeros(n), coverage=np.ones(n)).append_column("agitation", pa.array(values))
    columns = _columns(table.append_column("camera_moves", pa.array(np.zeros(n))), LABELS)
    assert columns.agitation is not None
    assert columns.agitation[33] == pytest.approx(0.9)


def test_a_name_that_the_font_lacks_is_drawn_without_warnings(tmp_path: Path) -> None:
    table = timeline(5, happy=np.full(5, 0.5), coverage=np.ones(5))
    plot_timeline(table, LABELS, tmp_path / "timeline.png", title="大楼南门入口监控.mp4")  # a warning is an error here


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("door.mp4", "door.mp4"),
        ("0123456789", "0123456789"),
        ("0123456789a", "01234…789a"),
        ("监控录像一", "监控录像一"),
        ("监控录像一二.mp4", "监控录…mp4"),
    ],
)
def test_long_names_lose_their_middle(name: str, expected: str) -> None:
    assert shorten_name(name, 10) == expected
