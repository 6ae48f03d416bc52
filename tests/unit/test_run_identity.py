"""A handle reads its own run alone: tables of other settings are refused by every reader that goes through a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from alert_runs import face, make_run
from fervid.alerts.rules import load_rules
from fervid.alerts.scan import scan_run
from fervid.errors import InputError
from fervid.exports.source import open_tables
from fervid.profile.measure import profile_run
from fervid.run import Run
from fervid.run_folder import PROFILE, prepare
from fervid.summary import analysed_seconds
from fervid.timeline.io import write_table

READERS: dict[str, Callable[[Run], object]] = {
    "faces": lambda run: run.faces,
    "frames": lambda run: run.frames,
    "alerts": lambda run: scan_run(run, load_rules("anger")),
    "export": lambda run: open_tables(run.folder).read("faces"),
    "profile": lambda run: profile_run(run.folder),
}


def marked(folder: Path, settings_hash: str) -> Run:
    times = np.round(np.arange(0, 20, 0.2), 6)
    run = make_run(folder, [face(t, 0, 0.5) for t in times.tolist()], times)
    for name in ("faces", "frames"):
        path = folder / f"{name}.parquet"
        write_table(path, pq.read_table(path), {"settings_hash": settings_hash})
    return run


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_tables_of_other_settings_are_refused(tmp_path: Path, reader: Callable[[Run], object]) -> None:
    with pytest.raises(InputError, match="replaced by one with other settings") as caught:
        reader(marked(tmp_path, "other"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_its_own_tables_are_read(tmp_path: Path, reader: Callable[[Run], object]) -> None:
    assert reader(marked(tmp_path, "s")) is not None


def test_a_run_is_shown_in_a_line(tmp_path: Path) -> None:
    assert repr(marked(tmp_path, "s")) == f"<Run {str(tmp_path)!r} of 'clip.mp4', complete>"


def test_a_profile_goes_with_the_tables_that_it_speaks_of(tmp_path: Path) -> None:
    for name in PROFILE:
        (tmp_path / name).write_text("old")
    prepare(tmp_path, keep_observations=True)
    assert not list(tmp_path.glob("profile*"))


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0.0, None, 15.5), (0.0, 2.0, 2.0), (10.0, None, 5.5), (1.0, 99.0, 14.5)]
)
def test_speed_counts_the_part_that_was_analysed(start: float, end: float | None, expected: float) -> None:
    assert analysed_seconds(15.5, {"start_seconds": start, "end_seconds": end}) == expected
