"""Results belong to the whole content of a video: a change anywhere makes another video, a replaced one is marked."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

import fervid
from bad_sources import clip
from fervid.batch import ids, steps
from fervid.review.cards import run_id
from fervid.review.index import RunIndex
from fervid.storage.files import SAMPLED_ID_LENGTH, content_id, sampled_id
from numbered_clips import numbered_clip
from runner import counts_of, run_fervid

PLAIN = ("-q", "--no-plot", "--device", "cpu")
HOUR = 3600
CHANGED_BYTES = 5000


def analyze(*videos: Path, out: Path) -> str:
    """Analyse videos by the command; returns what it says."""
    done = run_fervid("analyze", *map(str, videos), "-o", str(out), *PLAIN)
    assert done.returncode == 0, done.stderr
    return done.stderr


def analysed(video: Path, out: Path, **settings: object) -> fervid.Run:
    """Analyse a video in this process."""
    chosen = fervid.load_settings(assignments=[f"{name}={value}" for name, value in settings.items()], environment={})
    return fervid.analyze(video, out=out, settings=chosen, plot=False, device="cpu")


def videos_of(*arguments: str) -> list[dict[str, str]]:
    """The view of videos, and what the command says on stderr."""
    sql = "SELECT video, video_id, path, superseded_by FROM videos ORDER BY video_id"
    done = run_fervid("query", sql, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return [*map(json.loads, done.stdout.splitlines())] if done.stdout[:1] == "{" else json.loads(done.stdout)


def written(path: Path, content: bytes, *, age_seconds: float = HOUR) -> Path:
    """A file that was written some time ago."""
    path.write_bytes(content)
    os.utime(path, (time.time() - age_seconds,) * 2)
    return path


def raw_clip() -> tuple[bytearray, slice]:
    """An uncompressed video of more than three samples of a MiB, and a part of a frame that is in none of them."""
    content = bytearray(clip("x.avi", codec="rawvideo", seconds=8))
    assert len(content) > 5 << 20
    begin = content.index(b"00dc", 1_400_000) + 1000
    return content, slice(begin, begin + CHANGED_BYTES)


def test_two_recordings_that_differ_between_the_samples_are_two_videos(tmp_path: Path) -> None:
    content, changed = raw_clip()
    first = written(tmp_path / "subject1.avi", bytes(content))
    content[changed] = bytes(CHANGED_BYTES)
    second = written(tmp_path / "subject2.avi", bytes(content))
    assert sampled_id(first) == sampled_id(second)
    said = analyze(first, second, out=tmp_path / "out")
    assert counts_of(said).startswith("2 ok")
    assert len({video["video_id"] for video in videos_of(str(tmp_path / "out"))}) == 2


@pytest.mark.parametrize("age_seconds", [HOUR, 0.0], ids=["long ago", "at the same moment"])
def test_a_change_in_place_is_seen_even_if_size_and_time_are_the_same(tmp_path: Path, age_seconds: float) -> None:
    content, changed = raw_clip()
    video = written(tmp_path / "capture.avi", bytes(content), age_seconds=age_seconds)
    before = analysed(video, tmp_path / "out")
    stamp = video.stat()
    with video.open("r+b") as file:
        file.seek(changed.start)
        file.write(bytes(CHANGED_BYTES))
    os.utime(video, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (video.stat().st_size, video.stat().st_mtime_ns, video.stat().st_ino) == (
        *(stamp.st_size, stamp.st_mtime_ns, stamp.st_ino),
    )
    after = analysed(video, tmp_path / "out")
    assert not after.was_there
    assert after.manifest.video_id == content_id(video) != before.manifest.video_id


def test_a_known_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = written(tmp_path / "capture.avi", bytes(raw_clip()[0]))
    before = analysed(video, tmp_path / "out")

    def read(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(ids, "content_id", read)
    again = analysed(video, tmp_path / "out")
    assert again.was_there
    assert again.manifest.video_id == before.manifest.video_id
    os.utime(video)
    with pytest.raises(AssertionError, match="was read"):
        analysed(video, tmp_path / "out")


@pytest.fixture
def replaced(tmp_path: Path) -> tuple[Path, Path, fervid.Run, fervid.Run]:
    """A video that was replaced under its name: its path, the folder of runs, the earlier run and the later one."""
    video, out = tmp_path / "door.mp4", tmp_path / "out"
    earlier = analysed(written(video, numbered_clip("mp4", range(50))), out)
    video.unlink()
    written(video, numbered_clip("mp4", range(100, 160)))
    return video, out, earlier, analysed(video, out)


def test_the_run_of_a_replaced_video_is_marked_and_left_out(
    replaced: tuple[Path, Path, fervid.Run, fervid.Run],
) -> None:
    video, out, earlier, later = replaced
    assert fervid.open_run(earlier.folder).manifest.superseded_by == later.manifest.video_id == content_id(video)
    assert fervid.open_run(later.folder).manifest.superseded_by == ""
    assert run_fervid("verify", str(out)).returncode == 0

    (row,) = videos_of(str(out))
    assert row["video_id"] == later.manifest.video_id
    both = videos_of(str(out), "--superseded")
    assert {row["superseded_by"] for row in both} == {None, later.manifest.video_id}
    (named,) = videos_of(str(earlier.folder))
    assert named["video_id"] == earlier.manifest.video_id

    index = RunIndex((out,))
    assert {card["folder"]: card["is_left_out"] for card in index.listing()["runs"]} == {
        earlier.folder.name: True, later.folder.name: False,
    }  # fmt: skip
    assert list(index.find("", 0, 0)) == [run_id(later.folder)]
    assert not RunIndex((earlier.folder,)).listing()["runs"][0]["is_left_out"], "it was named itself"

    for command in ("report", "alerts", "profile", "annotate"):
        done = run_fervid(command, str(out))
        assert done.returncode == 0, done.stderr
        assert "fervid: 1 superseded run left out" in done.stderr
        assert "left out" not in run_fervid(command, str(out), "--superseded").stderr
    copied = run_fervid("compact", str(out), "-o", str(out / "compacted"))
    assert copied.stdout.startswith("1 run")
    shutil.rmtree(later.folder)
    shutil.rmtree(out / "compacted")
    assert "Add --superseded" in run_fervid("report", str(out)).stderr


def test_a_mark_that_a_killed_command_did_not_set_is_set_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, out = tmp_path / "door.mp4", tmp_path / "out"
    earlier = analysed(written(video, numbered_clip("mp4", range(50))), out)
    written(video, numbered_clip("mp4", range(100, 160)))
    with monkeypatch.context() as patched:
        patched.setattr(steps, "supersede", lambda *_: None)
        later = analysed(video, out)
    assert fervid.open_run(earlier.folder).manifest.superseded_by == ""
    said = analyze(video, out=out)
    assert "is superseded" in said
    assert fervid.open_run(earlier.folder).manifest.superseded_by == later.manifest.video_id
    assert "superseded" not in analyze(video, out=out)


def test_a_video_that_comes_back_supersedes_what_replaced_it(
    replaced: tuple[Path, Path, fervid.Run, fervid.Run],
) -> None:
    video, out, earlier, later = replaced
    written(video, numbered_clip("mp4", range(50)))
    analyze(video, out=out)
    assert fervid.open_run(earlier.folder).manifest.superseded_by == ""
    assert fervid.open_run(later.folder).manifest.superseded_by == earlier.manifest.video_id


def test_a_video_that_was_renamed_before_another_took_its_name_keeps_its_run(tmp_path: Path) -> None:
    video, out = tmp_path / "latest.mp4", tmp_path / "out"
    earlier = analysed(written(video, numbered_clip("mp4", range(50))), out)
    kept = video.rename(tmp_path / "2026-11-20.mp4")
    written(video, numbered_clip("mp4", range(100, 160)))
    analyze(kept, video, out=out)
    run = fervid.open_run(earlier.folder)
    assert Path(run.manifest.video_path) == kept
    assert run.manifest.superseded_by == ""
    assert len(videos_of(str(out))) == 2
    # And where the new one was analysed first, by itself.
    other, video = tmp_path / "other", tmp_path / "other.mp4"
    first = analysed(written(video, numbered_clip("mp4", range(200, 250))), other)
    kept = video.rename(tmp_path / "kept.mp4")
    written(video, numbered_clip("mp4", range(300, 360)))
    analyze(video, out=other)
    assert fervid.open_run(first.folder).manifest.superseded_by
    analyze(kept, out=other)
    assert fervid.open_run(first.folder).manifest.superseded_by == ""


def test_an_intact_copy_of_a_damaged_file_is_analysed(tmp_path: Path) -> None:
    content = bytes(clip("x.avi", codec="mjpeg", pix_fmt="yuvj420p", seconds=40, size=(320, 240)))
    assert len(content) > 5 << 20
    damaged = bytearray(content)
    damaged[1_300_000:1_500_000] = bytes(200_000)
    video, out = written(tmp_path / "a.avi", bytes(damaged)), tmp_path / "out"
    before = analysed(video, out)
    assert before.manifest.status == "partial"
    copy = written(tmp_path / "copy.avi", content)
    assert sampled_id(copy) == sampled_id(video)
    assert analysed(copy, out).manifest.status == "complete"
    written(video, content)
    analyze(video, out=out)
    assert fervid.open_run(before.folder).manifest.superseded_by == content_id(copy)


def test_a_run_with_a_sampled_id_counts_until_its_video_is_modified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, out = written(tmp_path / "old.mp4", numbered_clip("mp4", range(50))), tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(ids, "content_id", sampled_id)
        before = analysed(video, out)
    assert len(before.manifest.video_id) == SAMPLED_ID_LENGTH
    again = analysed(video, out)
    assert again.was_there
    assert again.folder == before.folder
    other = analysed(video, out, **{"track.gap_seconds": 3})  # observed before: only interpreted anew
    assert other.folder == before.folder
    assert other.manifest.segments_reused == 1
    moved = video.rename(tmp_path / "moved.mp4")
    analyze(moved, out=out)
    os.utime(moved, (time.time() + 5,) * 2)
    anew = analysed(moved, out)
    assert anew.manifest.video_id == content_id(moved)
    assert anew.folder != before.folder


def test_a_dry_run_changes_nothing(replaced: tuple[Path, Path, fervid.Run, fervid.Run]) -> None:
    video, out, earlier, _ = replaced
    video.rename(video.with_name("moved.mp4"))
    written(video, numbered_clip("mp4", range(50)))  # the first one is back: its mark would go
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    done = run_fervid("analyze", str(video.parent), "-o", str(out), "--dry-run", *PLAIN)
    assert done.returncode == 0, done.stderr
    assert "0 to analyse, 2 to skip" in done.stdout
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert fervid.open_run(earlier.folder).manifest.superseded_by


def test_nothing_is_drawn_or_cut_from_another_video_of_the_same_name(tmp_path: Path) -> None:
    content, changed = raw_clip()
    video = written(tmp_path / "camera.avi", bytes(content))
    run = analysed(video, tmp_path / "out")
    content[changed] = bytes(CHANGED_BYTES)
    written(video, bytes(content))
    drawn = run_fervid("annotate", str(run.folder), "-q")
    assert drawn.returncode == 3
    assert "camera.avi is not the video that was analysed. Put that one back, or analyse this one." in drawn.stderr
    assert not (run.folder / "annotated.mp4").exists()
    reported = run_fervid("report", str(run.folder), "--with-clips")
    assert "no clips" in reported.stderr
    assert "camera.avi is not the video that was analysed" in reported.stderr


def test_a_rate_of_images_is_not_taken_for_the_sampling_of_a_video(tmp_path: Path) -> None:
    content, _ = raw_clip()
    video = written(tmp_path / "camera.avi", bytes(content))
    done = run_fervid("analyze", str(video), "--rate", "5", "-o", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "--rate 5 is for series of images, and none was given. Use --fps" in done.stderr
