"""`fervid explain` on a real run: the face as the shipped model saw it, who may read the file, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

import fervid
from fervid.base.opencv import cv2
from fervid.errors import ConfigError, InputError, ModelError, VideoUnreadable
from fervid.explain.face import Explanation, explain_face
from fervid.explain.image import default_name, draw_explanation, strongest, write_explanation
from fervid.run.derived import remove_derived
from manifests import change_manifest
from runner import run_fervid
from synthetic import constant_rate, empty_picture, face_patch, write_video

SECONDS = 3.0


def two_faces(seconds: float) -> np.ndarray:
    """A face at the left, from two seconds on a smaller one beside it, too."""
    picture = empty_picture()
    large = face_patch()
    picture[60 : 60 + len(large), 20 : 20 + large.shape[1]] = large
    if seconds >= 1.0:
        small = cv2.resize(large, (110, 110), interpolation=cv2.INTER_AREA)
        picture[90 : 90 + len(small), 190 : 190 + small.shape[1]] = small
    return picture


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> fervid.Run:
    folder = tmp_path_factory.mktemp("explain")
    video = write_video(folder / "v.mp4", constant_rate(SECONDS), two_faces, first_pts_seconds=0.7)
    return fervid.analyze(video, out=folder / "out", device="cpu", plot=False)


@pytest.fixture
def copy(run: fervid.Run, tmp_path: Path) -> fervid.Run:
    """The run once more, to be changed."""
    return fervid.open_run(Path(shutil.copytree(run.folder, tmp_path / "run")))


def rows_of(run: fervid.Run, seconds: float) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = run.faces.to_pylist()
    return [row for row in rows if row["time_s"] == seconds]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"emotion.flip": True, "emotion.labels": "blend"},
        {"video.fps": 3},
        {"video.crop": (30, 40, 150, 190)},
    ],
)
def test_the_crop_scores_what_the_run_stored(settings: dict[str, object], run: fervid.Run, tmp_path: Path) -> None:
    other = run
    if settings:
        chosen = fervid.load_settings(options=settings, environment={})
        other = fervid.analyze(run.manifest.video_path, out=tmp_path, settings=chosen, device="cpu", plot=False)
    assert other.faces.num_rows > 4
    for row in other.faces.to_pylist()[::4]:
        found = explain_face(other, row["time_s"], track_id=row["track_id"])
        assert found.time_s == row["time_s"]
        assert found.label == row["label"]
        assert found.is_leading
        assert found.occlusion.score == pytest.approx(row[f"p_{row['label']}"], abs=1e-4)
        assert found.over_time == row[f"r_{row['label']}"]
        assert found.crop.shape == found.occlusion.changes.shape == (48, 48)


def test_a_video_that_was_turned_for_the_analysis_is_turned_again(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(1.0), lambda seconds: two_faces(seconds)[::-1, ::-1].copy())
    turned = fervid.load_settings(options={"video.rotate": 180}, environment={})
    run = fervid.analyze(video, out=tmp_path / "out", settings=turned, device="cpu", plot=False)
    row = run.faces.to_pylist()[2]
    found = explain_face(run, row["time_s"])
    assert found.occlusion.score == pytest.approx(row[f"p_{row['label']}"], abs=1e-4)


def test_the_face_makes_the_score_and_not_what_is_around_it(run: fervid.Run) -> None:
    changes = np.abs(explain_face(run, 0.5).occlusion.changes)
    corners = np.concatenate([changes[:8, :8], changes[:8, -8:], changes[-8:, :8], changes[-8:, -8:]])
    assert changes[12:42, 10:38].mean() > corners.mean()


def test_the_nearest_moment_and_the_largest_face_are_taken_unless_told(run: fervid.Run) -> None:
    found = explain_face(run, 2.07)
    here = rows_of(run, found.time_s)
    assert found.time_s == pytest.approx(2.0)
    assert len(here) == 2
    largest = max(here, key=lambda row: row["w"] * row["h"])  # type: ignore[operator]
    (other,) = [row["track_id"] for row in here if row is not largest]
    assert (found.track_id, found.others) == (largest["track_id"], (other,))
    told = explain_face(run, 2.07, track_id=int(str(other)), label="fear")
    assert (told.track_id, told.label, told.is_leading) == (other, "fear", told.is_leading)
    assert told.others == (largest["track_id"],)


def test_the_file_is_its_owners_alone_noted_and_goes_with_the_run(copy: fervid.Run) -> None:
    umask = os.umask(0)
    try:
        path = write_explanation(copy, explain_face(copy, 0.5))
    finally:
        os.umask(umask)
    assert path.parent == copy.folder
    assert path.name.startswith("explain-00-00-00.")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"\x89PNG")
    log = [json.loads(line) for line in (copy.folder / "evidence-audit.jsonl").read_text().splitlines()]
    assert log[-1]["what"] == "explanation with an open face"
    assert (log[-1]["file"], log[-1]["blur"]) == (path.name, "none")
    assert path.name in remove_derived(copy.folder).removed
    assert not path.exists()


def test_a_folder_that_holds_one_run_stands_for_it(run: fervid.Run, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for name in ("one", "two"):
        shutil.copytree(run.folder, both / name / "run")
    done = run_fervid("explain", str(both / "one"), "--at", "1", "-o", str(tmp_path / "map.png"))
    assert done.returncode == 0, done.stderr
    done = run_fervid("explain", str(both), "--at", "1")
    assert (done.returncode, "contains 2 runs" in done.stderr) == (3, True), done.stderr


def test_the_command_says_that_the_face_is_open(run: fervid.Run, tmp_path: Path) -> None:
    target = tmp_path / "why.png"
    done = run_fervid("explain", str(run.folder), "--at", "0.5s", "-o", str(target))
    assert done.returncode == 0, done.stderr
    assert "open face" in done.stdout
    assert str(target) in done.stdout
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "OPEN FACE" in run_fervid("explain", "--help").stdout
    found = json.loads(run_fervid("explain", str(run.folder), "--at", "2", "--json", "-o", str(target)).stdout)
    assert found["shows_open_face"] is True
    assert np.array(found["changes"]).shape == (48, 48)
    assert found["lowest"] <= found["score"]
    assert len(found["other_tracks"]) == 1


def test_what_cannot_be_explained_is_refused_with_the_reason(run: fervid.Run, copy: fervid.Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="label 'smug' does not exist"):
        explain_face(run, 0.5, label="smug")
    with pytest.raises(InputError, match="the video ends at 00:00:03.0"):
        explain_face(run, 30)
    with pytest.raises(InputError, match="no face of track 99 within 1 s .* There are tracks"):
        explain_face(run, 0.5, track_id=99)
    assert run_fervid("explain", str(run.folder), "--at", "0.5", "-o", "why.jpg").returncode == 2
    content = json.loads((copy.folder / "manifest.json").read_text())

    def changed(**values: object) -> fervid.Run:
        change_manifest(copy.folder, **(content | values))
        return fervid.open_run(copy.folder)

    with pytest.raises(VideoUnreadable, match="no longer exists"):
        explain_face(changed(video_path=str(tmp_path / "gone.mp4")), 0.5)
    other = write_video(tmp_path / "other.mp4", constant_rate(1.0))
    with pytest.raises(VideoUnreadable, match="is not the video that was analysed"):
        explain_face(changed(video_path=str(other)), 0.5)
    with pytest.raises(ModelError, match="has changed since"):
        explain_face(changed(model=content["model"] | {"weights_sha256": "0" * 64}), 0.5)
    unknown = content["settings"]["video"] | {"magic": 1}
    with pytest.raises(InputError, match="settings that this version"):
        explain_face(changed(settings=content["settings"] | {"video": unknown}), 0.5)
    moved = content["settings"] | {"emotion": content["settings"]["emotion"] | {"crop_margin": 0.5}}
    with pytest.raises(InputError, match=r"scores 0\.\d\d for \w+, and 0\.\d\d is stored"):
        explain_face(changed(settings=moved), 0.5)


def test_the_image_holds_label_score_and_the_strongest_part(run: fervid.Run) -> None:
    found = explain_face(run, 0.5)
    image = cv2.imdecode(np.frombuffer(draw_explanation(found), np.uint8), cv2.IMREAD_COLOR)
    assert min(image.shape[:2]) > 400
    assert default_name(found).endswith(f"-track{found.track_id}-{found.label}.png")
    assert found.label in strongest(found)
    assert isinstance(found, Explanation)
