"""Images as people have them, numbered or in folders, are analysed like the video that they came from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import fervid
from fervid.annotate.video import annotate_run
from fervid.batch.inputs import find_videos
from fervid.batch.stills import Stills, in_order
from fervid.errors import ConfigError, VideoNotFound, VideoUnreadable
from numbered_clips import number_of, numbered
from runner import run_fervid

N = 30


def images(folder: Path, names: str, numbers: range = range(N)) -> Path:
    """A folder of images that show their numbers, called by `names`, a pattern of Python's for a number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        assert cv2.imwrite(str(folder / names.format(number)), numbered(number)[..., ::-1])
    return folder


def analyze(*arguments: str, out: Path) -> tuple[int, str]:
    done = run_fervid("analyze", *arguments, "-o", str(out), "-q", "--no-plot", "--device", "cpu", "--fps", "0")
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("names", "argument"),
    [("{:05d}.jpg", "%05d.jpg"), ("shot-{}.png", "shot-%d.png"), ("{}.PNG", ""), ("f{}.jpeg", "")],
)
def test_a_series_of_images_is_a_video_at_the_given_rate(tmp_path: Path, names: str, argument: str) -> None:
    folder, out = images(tmp_path / "shots", names), tmp_path / "out"
    code, said = analyze(str(folder / argument), "--rate", "10", out=out)
    assert code == 0, said
    (found,) = out.glob("shots-*/manifest.json")
    run = fervid.open_run(found.parent)
    assert run.frames["time_s"].to_pylist() == pytest.approx([i / 10 for i in range(N)], abs=1e-4)
    made = Path(run.manifest.video_path)
    with av.open(str(made)) as video:
        assert [number_of(frame.to_ndarray(format="gray")) for frame in video.decode(video=0)] == list(range(N))
    clip = annotate_run(run, blur="none", strip=False)
    with av.open(str(clip)) as video:
        assert [number_of(frame.to_ndarray(format="gray")) for frame in video.decode(video=0)] == list(range(N))


def test_the_images_are_copied_byte_for_byte_and_once(tmp_path: Path) -> None:
    folder = images(tmp_path / "shots", "{:03d}.jpg")
    stills = Stills.of("25", tmp_path / "out")
    (made,) = find_videos([str(folder)], stills).videos
    with av.open(str(made)) as video:  # type: ignore[arg-type]
        packets = [bytes(packet) for packet in video.demux(video=0) if packet.size]
    assert packets == [path.read_bytes() for path in sorted(folder.iterdir())]
    before = made.stat()
    assert find_videos([str(folder)], stills).videos == (made,)
    assert made.stat() == before
    made.write_bytes(made.read_bytes()[:-1])  # a torn file is made again
    find_videos([str(folder)], stills)
    assert made.stat().st_size == before.st_size


@pytest.mark.parametrize("rate", ["25", "29.97", "30000/1001", "0.5", "0.01", "240"])
def test_any_rate_is_kept(tmp_path: Path, rate: str) -> None:
    folder = images(tmp_path / "shots", "{:03d}.png", range(5))
    (made,) = find_videos([str(folder / "%03d.png")], Stills.of(rate, tmp_path / "out")).videos
    with av.open(str(made)) as video:  # type: ignore[arg-type]
        times = [float(frame.time) for frame in video.decode(video=0)]
    assert times == pytest.approx([i / float(Fraction(rate)) for i in range(5)], rel=1e-3)


def test_a_changed_series_is_analysed_and_supersedes_its_earlier_run(tmp_path: Path) -> None:
    folder, out = images(tmp_path / "shots", "{:03d}.jpg"), tmp_path / "out"
    command = (str(folder), "--rate", "25")
    assert analyze(*command, out=out)[0] == 0
    assert "1 skipped" in analyze(*command, out=out)[1]
    images(folder, "{:03d}.jpg", range(N, N + 5))
    assert analyze(*command, out=out)[1].count("superseded") == 1
    runs = sorted((fervid.open_run(path.parent) for path in out.glob("*/manifest.json")), key=lambda r: len(r.frames))
    assert [len(run.frames) for run in runs] == [N, N + 5]
    assert [bool(run.manifest.superseded_by) for run in runs] == [True, False]


def test_folders_of_images_are_videos_each_beside_videos(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        images(tmp_path / "set" / name, "{}.jpg", range(12))
    images(tmp_path / "set" / "one", "cover.jpg", range(1))  # no series
    (tmp_path / "set" / "film").mkdir()
    (tmp_path / "set" / "film" / "film.mp4").write_bytes(b"film")
    images(tmp_path / "set" / "film", "poster{}.jpg", range(3))
    found = find_videos([str(tmp_path / "set")], Stills.of("25", tmp_path / "out"))
    assert sorted(path.name for path in found.videos) == ["a.mov", "c.mov", "film.mp4"]
    assert found.n_ignored == 4


def test_numbers_are_sorted_as_numbers() -> None:
    names = ["img2.png", "img10.png", "img1.png", "img010b.png", "img3a.png"]
    ordered = [path.name for path in in_order([Path(name) for name in names])]
    assert ordered == ["img1.png", "img2.png", "img3a.png", "img010b.png", "img10.png"]


def test_what_is_wrong_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = images(tmp_path / "shots", "{:03d}.jpg", range(0, 20, 2))
    stills = Stills.of("25", tmp_path / "out")
    with pytest.raises(ConfigError, match="--rate 25"):
        find_videos([str(folder / "%03d.jpg")])
    with pytest.raises(VideoNotFound, match="--rate 25"):
        find_videos([str(folder)])
    with pytest.raises(VideoNotFound, match="matches no image"):
        find_videos([str(folder / "%05d.jpg")], stills)
    assert len(find_videos([str(folder / "%03d.jpg")], stills).videos) == 1
    assert "9 numbers are missing" in caplog.text
    (folder / "004.jpg").write_bytes(b"no image")
    with pytest.raises(VideoUnreadable, match=r"004\.jpg is not a complete JPEG or PNG image"):
        find_videos([str(folder)], stills)
    (folder / "004.jpg").unlink()
    assert cv2.imwrite(str(folder / "005.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(VideoUnreadable, match=r"005\.png is not of the kind of 000\.jpg"):
        find_videos([str(folder)], stills)
    for rate in ("0", "-1", "fast", "1/0", "5000"):
        with pytest.raises(ConfigError, match="not a number of images per second"):
            Stills.of(rate, tmp_path)
