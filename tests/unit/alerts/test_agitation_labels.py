"""Labels and verdicts of analysed videos become windows; what is wrong with a list is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fervid.alerts.measure.agitation_labels import labelled_windows, read_stretches, stretches_of_verdicts
from fervid.base.types import Detections, FaceScores
from fervid.errors import ConfigError, InputError
from fervid.observe.flow_values import N_VALUES, STATISTICS
from fervid.observe.observations import write_observations
from fervid.video.ledger import Ledger
from synthetic import without_landmarks


def flow_frames(n: int, *, camera: float) -> list[FaceScores]:
    """Frames without faces, five per second, whose first one has no flow."""
    rng, nothing = np.random.default_rng(0), np.zeros(0, np.float32)
    rows = rng.uniform(0, 0.3, (n, N_VALUES)).astype(np.float16)
    rows[:, STATISTICS.index("camera_speed")], rows[:, STATISTICS.index("camera_share")] = camera, 1.0
    found = []
    for i in range(n):
        faces = Detections(i, i, i / 5, False, nothing.reshape(0, 4), nothing, *without_landmarks(0))
        thumbnail = np.zeros((18, 32), np.uint8)
        face_quality, logits = np.zeros((0, 5), np.float32), np.zeros((0, 7), np.float32)
        found.append(FaceScores(faces, logits, nothing, thumbnail, face_quality, rows[i] if i else rows[0, :0]))
    return found


def run_of(folder: Path, name: str, *, camera_speed: float = 0.0, has_flow: bool = True) -> Any:
    """Ten seconds of a video, as far as labels look at it."""
    own = folder / name
    (own / "observations").mkdir(parents=True)
    found = flow_frames(50, camera=camera_speed)
    write_observations(
        own / "observations" / "00000.parquet", iter(found), Ledger(analysed=50), observe_key="k", has_flow=has_flow
    )
    return SimpleNamespace(folder=own, manifest=SimpleNamespace(video_id=f"id-{name}", video_path=f"/cams/{name}.mp4"))


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("file,label,camera,start,end", *rows)) + "\n")
    return path


def test_stretches_become_windows_of_their_recordings(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, name) for name in ("a", "b", "c")]
    path = write(
        tmp_path / "l.csv", "a.mp4,agitated,yard,2,6", "b.mp4,none,yard,,", "cams/c.mp4,fight,,0:00:01,0:00:03"
    )
    stretches = read_stretches(path, runs)
    assert [(one.start, one.is_agitated, one.group) for one in stretches] == [
        (2.0, True, "yard"),
        (0.0, False, "yard"),
        (1.0, True, "cams/c.mp4"),
    ]
    found = labelled_windows(stretches, window_seconds=2.0)
    n = [int((found.is_agitated & (found.group == 1)).sum()), int((~found.is_agitated).sum())]
    assert n == [4, 10]  # a window ends every second
    assert int((found.group == 0).sum()) == 2
    assert np.isfinite(found.features).all()


def test_a_moving_camera_is_not_learnt_from(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, "a", camera_speed=0.3), run_of(tmp_path, "b")]
    stretches = read_stretches(write(tmp_path / "l.csv", "a.mp4,agitated,,,", "b.mp4,none,,,"), runs)
    assert not labelled_windows(stretches, window_seconds=2.0).is_agitated.any()


def test_verdicts_about_one_rule_are_labels(tmp_path: Path) -> None:
    @dataclass
    class Said:
        video_id: str
        rule: str
        verdict: str | None
        start_s: float = 1.0
        end_s: float = 4.0
        video: str = "a.mp4"
        camera: str = "yard"

    runs = [run_of(tmp_path, "a")]
    said = [Said("id-a", "m", "true"), Said("id-a", "m", "unsure"), Said("id-a", "x", "true"), Said("?", "m", "false")]
    assert [(one.is_agitated, one.end) for one in stretches_of_verdicts(runs, said, "m")] == [(True, 4.0)]


def test_what_is_wrong_with_a_list_is_said(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, "a"), run_of(tmp_path, "old", has_flow=False)]
    with pytest.raises(ConfigError, match=r"line 2: label 'angry' is unknown. Use agitated"):
        read_stretches(write(tmp_path / "l.csv", "a.mp4,angry,,,"), runs)
    with pytest.raises(ConfigError, match="does not exist"):
        read_stretches(tmp_path / "none.csv", runs)
    with pytest.raises(InputError, match="none of its videos is among 2 runs"):
        read_stretches(write(tmp_path / "l.csv", "b.mp4,none,,,"), runs)
    (tmp_path / "c.csv").write_text("clip,label\n")
    with pytest.raises(ConfigError, match="no columns file and label"):
        read_stretches(tmp_path / "c.csv", runs)
    stretches = read_stretches(write(tmp_path / "l.csv", "old.mp4,none,,,"), runs)
    with pytest.raises(InputError, match="has no motion. Analyse its video with --preset cctv"):
        labelled_windows(stretches, window_seconds=2.0)


def test_statistics_and_grid_are_all_that_is_stored() -> None:
    assert N_VALUES == len(STATISTICS) + 40 == 73
