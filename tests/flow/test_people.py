"""Recordings of one person in a batch: one baseline for all, whatever their order, the workers or an interruption."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import fervid
from fervid.base.opencv import cv2
from fervid.run.handle import open_run
from fervid.run.manifest import recordings_in
from runner import run_fervid
from synthetic import constant_rate, empty_picture, face_patch, moving_face, write_video

ALWAYS = ("--set", "baseline.min_seconds=0", "--set", "baseline.min_spread=0", "--device", "cpu")
ONE_HEAD = ("--labels", "fer2013")  # of two heads a baseline is no constant step in the log-probabilities
OPTIONS = ("--baseline", "video", *ONE_HEAD, *ALWAYS)
SECONDS = 2.0
NAMES = ("a", "b", "other")


def turned(seconds: float) -> np.ndarray:
    """Another look of the same face: mirrored, dimmed, with its lower half smeared."""
    face = face_patch()[:, ::-1].copy()
    face[75:] = cv2.GaussianBlur(face[75:], (0, 0), 5)
    picture = empty_picture()
    left = round(85 + 60 * np.sin(seconds))
    picture[60 : 60 + len(face), left : left + face.shape[1]] = (face * 0.8).astype(np.uint8)
    return picture


def bright(seconds: float) -> np.ndarray:
    return np.clip(moving_face(seconds) * 1.3, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    for name, picture in zip(NAMES, (moving_face, turned, bright), strict=True):
        write_video(folder / f"{name}.mp4", constant_rate(SECONDS), picture)
    return folder


def analyse(
    folder: Path, out: Path, rows: Sequence[tuple[str, str]], *more: str, options: Sequence[str] = OPTIONS
) -> list[dict[str, object]]:
    """Analyse a list of (name, person); the summaries."""
    table = out.parent / f"{out.name}.csv"
    lines = [f"{folder / name}.mp4,{person}" for name, person in rows]
    table.write_text("\n".join(["path,person", *lines]) + "\n")
    done = run_fervid("analyze", str(table), "-o", str(out), "--json", "-q", "--no-plot", *options, *more)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def runs(out: Path) -> dict[str, fervid.Run]:
    return {Path(run.manifest.video_path).stem: run for run in map(open_run, out.glob("*-????????"))}


def columns(run: fervid.Run, prefix: str) -> np.ndarray:
    return np.stack([run.faces[f"{prefix}_{label}"].to_numpy() for label in run.manifest.model["labels"]], axis=1)


def tables(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("*/*.parquet"))}


@pytest.fixture(scope="module")
def shared(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings of one person, and one of another."""
    out = tmp_path_factory.mktemp("shared") / "out"
    analyse(videos, out, [("a", "ann"), ("b", "ann"), ("other", "")], "--workers", "1")
    return out


def test_recordings_of_one_person_share_a_baseline_and_others_keep_their_own(
    videos: Path, shared: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    analyse(videos, alone, [(name, "") for name in NAMES])
    together, apart = runs(shared), runs(alone)
    assert together["other"].faces.equals(apart["other"].faces)
    ids = tuple(sorted(together[name].manifest.video_id for name in ("a", "b")))
    for name in ("a", "b"):
        assert together[name].manifest.recordings == ids
        assert together[name].manifest.settings_hash != apart[name].manifest.settings_hash
        assert np.array_equal(columns(together[name], "s"), columns(apart[name], "s"))
        assert not np.allclose(columns(together[name], "b"), columns(apart[name], "b"), atol=1e-3)
    assert together["other"].manifest.recordings == ()
    assert "ann" not in (together["a"].folder / "manifest.json").read_text()
    assert not any("ann" in path.read_text(errors="ignore") for path in shared.rglob("*") if path.is_file())


def test_each_keeps_what_sets_it_apart_from_the_persons_others(shared: Path) -> None:
    """One baseline moves the mean of all recordings; baselines of their own would move each to the same mean."""
    found = runs(shared)
    shifts = []
    for name in ("a", "b"):
        logs = [np.log(columns(found[name], kind).astype(float)) for kind in "pb"]
        centred = [one - one.mean(axis=1, keepdims=True) for one in logs]
        shifts.append((centred[0] - centred[1]).mean(axis=0))
    assert shifts[0] == pytest.approx(shifts[1], abs=0.35)  # smoothing comes between: equal but for that
    assert np.abs(shifts[0]).max() > 0.5


@pytest.mark.parametrize("workers", ["1", "3"])
def test_order_and_workers_change_no_byte(videos: Path, shared: Path, tmp_path: Path, workers: str) -> None:
    analyse(videos, tmp_path / "out", [("other", ""), ("b", "x"), ("a", "x")], "--workers", workers)
    assert tables(tmp_path / "out") == tables(shared)


def test_what_is_done_is_not_done_again_and_an_interruption_is_made_good(
    videos: Path, shared: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(shared, tmp_path / "out"))
    rows = [("a", "ann"), ("b", "ann"), ("other", "")]
    assert all(one["was_there"] for one in analyse(videos, out, rows))
    # As after a kill between the passes: one is finished, the other was analysed by itself alone.
    folder = runs(out)["b"].folder
    shutil.rmtree(folder)
    analyse(videos, out, [("b", "")])
    assert recordings_in(folder) == ()
    assert {one["video"]: one["was_there"] for one in analyse(videos, out, rows)} == {
        "a.mp4": True,
        "b.mp4": False,
        "other.mp4": True,
    }
    assert tables(out) == tables(shared)


def test_one_recording_more_changes_all_of_the_person_and_decodes_none_again(
    videos: Path, shared: Path, tmp_path: Path
) -> None:
    out, fresh = Path(shutil.copytree(shared, tmp_path / "out")), tmp_path / "fresh"
    rows = [(name, "ann") for name in NAMES]
    grown = analyse(videos, out, rows)
    assert not any(one["was_there"] for one in grown)
    assert all(run.manifest.segments_reused for run in runs(out).values())
    analyse(videos, fresh, rows)
    assert tables(out) == tables(fresh) != tables(shared)
    # And back: a person of one recording has the baseline of that one.
    analyse(videos, out, [("a", "ann"), ("b", ""), ("other", "")])
    assert {name: run.manifest.recordings for name, run in runs(out).items()} == dict.fromkeys(NAMES, ())


def test_a_recording_that_cannot_be_analysed_leaves_the_others_theirs(
    videos: Path, shared: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    table = tmp_path / "list.csv"
    table.write_text(f"path,person\n{videos}/a.mp4,ann\n{tmp_path}/bad.mp4,ann\n{videos}/b.mp4,ann\n")
    done = run_fervid("analyze", str(table), "-o", str(tmp_path / "out"), "-q", "--no-plot", *OPTIONS)
    assert done.returncode == 3
    expected = {name: content for name, content in tables(shared).items() if name.startswith(("a-", "b-"))}
    assert {n: c for n, c in tables(tmp_path / "out").items() if n.startswith(("a-", "b-"))} == expected


@pytest.mark.parametrize(
    ("columns_of", "options", "message"),
    [
        ("path,person\n{0}/a.mp4,ann\n", (), "Recordings of one person share a baseline with --baseline video"),
        ("path,person,labels\n{0}/a.mp4,ann,fer2013\n{0}/b.mp4,ann,ferplus\n", OPTIONS, "another model, head or"),
    ],
)  # fmt: skip
def test_recordings_that_cannot_share_a_baseline_are_refused(
    videos: Path, tmp_path: Path, columns_of: str, options: Sequence[str], message: str
) -> None:
    table = tmp_path / "list.csv"
    table.write_text(columns_of.format(videos))
    done = run_fervid("analyze", str(table), "-o", str(tmp_path / "out"), *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
