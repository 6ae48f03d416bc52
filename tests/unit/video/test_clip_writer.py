"""Clips: the right stretch, the spacing of frames, the shape of pixels, the sound."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fervid.errors import WrittenShort
from fervid.video.stretch import VideoSource
from fervid.video.writer import RgbFrame, read_rgb_frames, write_clip
from synthetic import constant_rate, variable_rate, write_video

MAX_PIXELS = 10**8


def cut(path: Path, target: Path, start: float, end: float, *, offset: float = 0.0) -> int:
    source = VideoSource(path, MAX_PIXELS, offset)
    pictures = read_rgb_frames(source, start, end)
    return write_clip(target, pictures, start_seconds=start, end_seconds=end, sound_from=source)


def contents(path: Path) -> tuple[list[float], list[Any], Any]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [(float(f.pts * f.time_base), f.to_ndarray(format="gray")) for f in container.decode(stream)]
        return [t for t, _ in frames], [picture for _, picture in frames], stream.sample_aspect_ratio


def level(seconds: float) -> np.ndarray:
    """A picture whose level tells its time: 10 grey levels a second."""
    return np.full((240, 320), round(40 + 10 * seconds), np.uint8)


@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_a_clip_holds_the_frames_of_its_stretch_at_their_own_times(tmp_path: Path, offset: float) -> None:
    times = np.array(variable_rate(9))
    source = write_video(tmp_path / "v.mp4", times.tolist(), level, first_pts_seconds=offset)
    n = cut(source, tmp_path / "clip.mp4", 5.0, 8.0, offset=offset)
    expected = times[(times >= 5) & (times < 8)]
    stamps, pictures, _ = contents(tmp_path / "clip.mp4")
    assert n == len(stamps) == len(expected)
    assert stamps == pytest.approx(expected - 5, abs=0.002)
    assert [p.mean() for p in pictures] == pytest.approx(np.round(40 + 10 * expected), abs=3)
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_is_kept_in_step(tmp_path: Path, codec: str) -> None:
    """A tone from 2 to 3 s of the source sounds from 1 to 2 s of a clip that begins at 1 s."""
    source = tmp_path / "v.mkv"
    rate = 16_000
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream(codec, rate=rate, layout="mono")
        t = np.arange(5 * rate) / rate
        wave = np.where((t >= 2) & (t < 3), 0.5 * np.sin(2 * np.pi * 440 * t), 0)
        kind = sound.codec_context.format.name if codec == "aac" else "s16"
        samples = wave.astype(np.float32) if kind == "fltp" else (wave * 32_000).astype(np.int16)
        for i in range(0, len(t), 1000):
            frame = av.AudioFrame.from_ndarray(samples[None, i : i + 1000], format=kind, layout="mono")
            frame.sample_rate, frame.pts = rate, i
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
        for i in range(125):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
            picture.pts = i
            container.mux(video.encode(picture))
        container.mux(video.encode())
    assert cut(source, tmp_path / "clip.mp4", 1.0, 4.0) == 75
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        stream = clip.streams.audio[0]
        assert stream.codec_context.name == "aac"
        heard = [
            (float(frame.pts * frame.time_base), float(np.abs(frame.to_ndarray()).max()))
            for frame in clip.decode(stream)
        ]
    loud = [seconds for seconds, peak in heard if peak > 0.2]
    assert loud[0] == pytest.approx(1.0, abs=0.08)
    assert loud[-1] == pytest.approx(2.0, abs=0.1)


def test_odd_sides_and_wide_pixels(tmp_path: Path) -> None:
    pictures = [RgbFrame(i / 10, np.full((47, 65, 3), 90, np.uint8), Fraction(16, 11)) for i in range(5)]
    n = write_clip(
        tmp_path / "clip.mp4", pictures, start_seconds=0, end_seconds=1, sound_from=None,
    )  # fmt: skip
    stamps, found, aspect = contents(tmp_path / "clip.mp4")
    assert (n, len(stamps), found[0].shape, aspect) == (5, 5, (46, 64), Fraction(16, 11))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc, which is not there")
def test_reading_colour_starts_no_threads_per_frame(tmp_path: Path) -> None:
    """A worker's memory limit counts their stacks: hundreds of them ended evidence of longer clips."""
    path = write_video(tmp_path / "v.mp4", constant_rate(4))
    before = len(list(Path("/proc/self/task").iterdir()))
    most = 0
    for _ in read_rgb_frames(VideoSource(path, MAX_PIXELS, 0.0), 0.0, 4.0):
        most = max(most, len(list(Path("/proc/self/task").iterdir())))
    assert most - before <= 32


def test_without_pictures_there_is_no_clip(tmp_path: Path) -> None:
    source = write_video(tmp_path / "v.mp4", constant_rate(1), level)
    with pytest.raises(WrittenShort, match="no frame of 5.0 to 6.0 s"):
        cut(source, tmp_path / "clip.mp4", 5.0, 6.0)
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize(
    ("sizes", "bars"),
    [
        ([(48, 64), (64, 48)], (14, 0)),  # a phone turned upright: 36 of 64 columns
        ([(64, 48), (48, 64)], (0, 14)),  # and laid down: 36 of 64 rows
        ([(48, 64), (96, 128)], (0, 0)),  # the same shape, larger
        ([(48, 64), (24, 64)], (0, 12)),
    ],
)
def test_a_change_of_size_is_letterboxed_and_loses_no_picture(
    tmp_path: Path, sizes: list[tuple[int, int]], bars: tuple[int, int]
) -> None:
    pictures = [
        RgbFrame((10 * n + i) / 10, np.full((*size, 3), 200, np.uint8), Fraction(1))
        for n, size in enumerate(sizes)
        for i in range(10)
    ]
    n = write_clip(tmp_path / "clip.mp4", pictures, start_seconds=0, end_seconds=2, sound_from=None)
    stamps, found, _ = contents(tmp_path / "clip.mp4")
    assert n == len(stamps) == 20
    last = found[-1]
    assert last.shape == sizes[0]
    left, top = bars
    assert last[:, : max(0, left - 2)].size == 0 or last[:, : left - 2].max() < 60
    assert last[: max(0, top - 2)].size == 0 or last[: top - 2].max() < 60
    assert last[top + 2 : last.shape[0] - top - 2, left + 2 : last.shape[1] - left - 2].min() > 150


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen")
def test_a_clip_has_the_same_bytes_on_any_number_of_processors(tmp_path: Path) -> None:
    source = write_video(tmp_path / "v.mp4", constant_rate(2), level)
    usable = os.sched_getaffinity(0)
    try:
        for name, processors in (("all.mp4", usable), ("one.mp4", {min(usable)})):
            os.sched_setaffinity(0, processors)
            cut(source, tmp_path / name, 0.0, 2.0)
    finally:
        os.sched_setaffinity(0, usable)
    content = (tmp_path / "all.mp4").read_bytes()
    assert content == (tmp_path / "one.mp4").read_bytes()
    assert b"sliced_threads=0" in content
