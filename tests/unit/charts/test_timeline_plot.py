"""The plot of a timeline: long ones are reduced to the columns of the image, with means that still weigh time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fervid.charts.figures import shorten_name
from fervid.charts.timeline import MAX_COLUMNS, _columns, plot_timeline

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


@pytest.mark.parametrize(
    ("n_bins", "expected"), [(60, ["22:00:00", "22:00:30"]), (3 * 86_400, ["11-20 22:00", "11-23 19:26"])]
)
def test_the_axis_shows_the_time_of_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_bins: int, expected: list[str]
) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *given, **k: (drawn.append(figure), save(figure, *given, **k))
    )
    table = timeline(n_bins, happy=np.full(n_bins, 0.5), coverage=np.ones(n_bins))
    zone = timezone(timedelta(hours=1))
    for recorded in (None, datetime(2026, 11, 20, 22), datetime(2026, 11, 20, 22, tzinfo=zone)):
        plot_timeline(table, LABELS, tmp_path / "timeline.png", title="camera.mp4", recorded=recorded)
    plain, local, zoned = (figure.axes[1] for figure in drawn)
    assert plain.get_xlabel() == "time in seconds"
    assert local.get_xlabel() == "time in seconds, and by the clock (2026-11-20, local time)"
    assert zoned.get_xlabel() == "time in seconds, and by the clock (2026-11-20, UTC+01:00)"
    labels = [label.get_text().partition("\n")[2] for label in local.get_xticklabels()]
    assert set(expected) <= set(labels)
    assert labels == [label.get_text().partition("\n")[2] for label in zoned.get_xticklabels()]
    assert not any("\n" in label.get_text() for label in plain.get_xticklabels())


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
