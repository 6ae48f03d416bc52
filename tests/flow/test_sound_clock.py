"""Sound keeps its own clock in clips: gaps stay gaps, and joined recordings are moved as their images are."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from fervid.video.ledger import Ledger
from fervid.video.loss import judge_loss
from fervid.video.probe import probe
from fervid.video.stretch import VideoSource
from fervid.video.writer import read_rgb_frames, write_clip
from numbered_clips import numbered

MAX_PIXELS = 10**7
RATE = 48_000
TONES = (0.5, 6.0)
"""When tones of 0.4 s sound, in seconds: one before the hole, one behind it."""


def with_sound(
    path: Path,
    codec: str,
    *,
    hole: tuple[float, float] | None,
    seconds: float = 8.0,
    tones: tuple[float, ...] = TONES,
    picture_seconds: float | None = None,
) -> Path:
    """A clip with short tones, whose sound has no packets within the hole."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 192, 96, "yuv420p"
        audio = container.add_stream(codec, rate=RATE, layout="mono")
        kind = audio.codec_context.format.name
        for i in range(round((picture_seconds or seconds) * 25)):
            frame = av.VideoFrame.from_ndarray(numbered(i), format="rgb24")
            frame.pts = i
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for first in range(0, round(seconds * RATE), 960):
            t = (first + np.arange(960)) / RATE
            is_loud = np.any([(t >= tone) & (t < tone + 0.4) for tone in tones], axis=0)
            wave = np.where(is_loud, 0.5 * np.sin(2 * np.pi * 440 * t), 0)
            samples = wave.astype(np.float32) if kind.startswith("flt") else (wave * 32_000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format=kind, layout="mono")
            frame.sample_rate, frame.pts = RATE, first
            for packet in audio.encode(frame):
                at = float(packet.pts * packet.time_base)
                if hole is None or not hole[0] <= at < hole[1]:
                    container.mux(packet)
        container.mux(audio.encode())
    return path


def loud_starts(path: Path) -> list[float]:
    """When tones begin in a clip."""
    with av.open(str(path)) as container:
        heard = [
            (float(frame.pts * frame.time_base), float(np.abs(frame.to_ndarray()).max()))
            for frame in container.decode(audio=0)
        ]
    loud = [seconds for seconds, peak in heard if peak > 0.2]
    return [seconds for i, seconds in enumerate(loud) if not i or seconds - loud[i - 1] > 0.5]


def cut(path: Path, target: Path, start: float, end: float) -> Path:
    info, _ = probe(path, max_pixels=MAX_PIXELS)
    source = VideoSource(path, MAX_PIXELS, info.start_time_seconds, info.time_source == "pts", info.stream)
    write_clip(target, read_rgb_frames(source, start, end), start_seconds=start, end_seconds=end, sound_from=source)
    return target


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "libopus"), ("a.mkv", "pcm_s16le"), ("a.mkv", "flac"), ("a.ts", "aac")]
)
@pytest.mark.parametrize("hole", [None, (2.0, 5.0)])
def test_a_hole_in_the_sound_moves_nothing_behind_it(
    tmp_path: Path, name: str, codec: str, hole: tuple[float, float] | None
) -> None:
    path = with_sound(tmp_path / name, codec, hole=hole)
    assert loud_starts(cut(path, tmp_path / "whole.mp4", 0.0, 8.0)) == pytest.approx(TONES, abs=0.1)
    assert loud_starts(cut(path, tmp_path / "part.mp4", 4.0, 8.0)) == pytest.approx([2.0], abs=0.1)


def test_the_sound_of_joined_recordings_follows_their_images(tmp_path: Path) -> None:
    parts = [
        with_sound(tmp_path / f"{i}.ts", "aac", hole=None, seconds=3.0, tones=(1.0,)).read_bytes() for i in range(3)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    assert loud_starts(cut(path, tmp_path / "clip.mp4", 0.0, 9.0)) == pytest.approx([1.0, 4.0, 7.0], abs=0.15)


@pytest.mark.parametrize("name", ["a.mkv", "a.flv", "a.mp4", "a.ts"])
@pytest.mark.parametrize("seconds", [(3.0, 12.0), (8.0, 3.0)])
def test_sound_and_picture_of_different_length_are_complete(
    tmp_path: Path, name: str, seconds: tuple[float, float]
) -> None:
    path = with_sound(tmp_path / name, "aac", hole=None, seconds=seconds[1], picture_seconds=seconds[0])
    info, plan = probe(path, max_pixels=MAX_PIXELS)
    assert info.duration_seconds == pytest.approx(seconds[0], abs=0.1)
    warnings, is_partial = judge_loss(info, plan, Ledger(analysed=1))
    assert (warnings, is_partial) == ((), False)


def flv_tags(content: bytes) -> list[bytes]:
    """The tags of an FLV file, each with its length behind it."""
    tags, at = [], 13
    while at + 11 <= len(content):
        length = 15 + int.from_bytes(content[at + 1 : at + 4])
        tags.append(content[at : at + length])
        at += length
    return tags


@pytest.mark.parametrize("flags", [4, 5], ids=["a header that names sound alone", "one that names both"])
@pytest.mark.parametrize("sound_seconds", [2.0, 20.0, 60.0])
def test_a_picture_that_comes_up_while_packets_are_read_is_found(
    tmp_path: Path, flags: int, sound_seconds: float
) -> None:
    """FLV tells of a stream by its first tag: here all sound comes before the picture."""
    content = with_sound(tmp_path / "a.flv", "aac", hole=None, seconds=sound_seconds, picture_seconds=2.0).read_bytes()
    tags = flv_tags(content)
    video = [tag for tag in tags if tag[0] == 9]
    others = [tag for tag in tags if tag[0] == 8]
    path = tmp_path / "late.flv"
    path.write_bytes(content[:4] + bytes([flags]) + content[5:13] + b"".join(others + video))
    info, plan = probe(path, max_pixels=MAX_PIXELS)
    assert plan.n_packets == 50
    source = VideoSource(path, MAX_PIXELS, info.start_time_seconds, info.time_source == "pts", info.stream)
    assert sum(1 for _ in read_rgb_frames(source, 0.5, 1.5)) == 25
