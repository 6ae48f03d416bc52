"""One clock: the time of a frame is the same in tables, clips, previews and live, for every kind of awkward file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fervid.live.address import parse_address
from fervid.live.source import Capture
from fervid.video.ledger import Ledger
from fervid.video.loss import judge_loss
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments
from fervid.video.stretch import VideoSource
from fervid.video.writer import read_rgb_frames, write_clip
from numbered_clips import RATE, number_of, numbered_clip, remuxed_with_decoding_times

MAX_PIXELS = 10**7
FRAME = 1 / RATE


@dataclass(frozen=True)
class Kind:
    """A file, the times at which a player would show its frames, and a part of what is said of it."""

    name: str
    make: Callable[[], bytes]
    times: tuple[float, ...]
    says: str = ""
    tolerance: float = 0.002


def evenly(n: int, *, rate: float = RATE, first: float = 0.0) -> tuple[float, ...]:
    return tuple(first + i / rate for i in range(n))


def joined(suffix: str, lengths: tuple[int, ...], *, shared_start: float = 0.0, **how: Any) -> Callable[[], bytes]:
    """Recordings of consecutive numbers one behind the other, each with a clock that begins anew."""

    def make() -> bytes:
        parts, first = [], 0
        for n in lengths:
            parts.append(numbered_clip(suffix, range(first, first + n), first_seconds=shared_start, **how))
            first += n
        return b"".join(parts)

    return make


def paused(suffix: str, **how: Any) -> Callable[[], bytes]:
    """Two recordings on one clock, the second 60 s later."""
    return lambda: (
        numbered_clip(suffix, range(100), **how) + numbered_clip(suffix, range(100, 200), first_seconds=64.0, **how)
    )


ORDER, BACK, BETWEEN = "order of decoding alone", "ran backwards", "had no usable time"
PAUSED = (*evenly(100), *evenly(100, first=64.0))
KINDS = (
    Kind("b2.avi", lambda: numbered_clip("avi", range(125), b_frames=2), evenly(125), ORDER),
    Kind("b3.avi", lambda: numbered_clip("avi", range(150), b_frames=3, rate=30), evenly(150, rate=30), ORDER),
    Kind("b7_long.avi", lambda: numbered_clip("avi", range(300), b_frames=7, gop=250), evenly(300), ORDER),
    Kind("b0.avi", lambda: numbered_clip("avi", range(100)), evenly(100)),
    Kind(
        "decoding_times.mp4",
        lambda: remuxed_with_decoding_times(numbered_clip("mp4", range(125), b_frames=2), "mp4"),
        evenly(125),
        ORDER,
    ),
    Kind(
        "decoding_times.mkv",
        lambda: remuxed_with_decoding_times(numbered_clip("mp4", range(125), b_frames=3), "matroska"),
        evenly(125),
        ORDER,
        tolerance=FRAME,
    ),
    Kind("joined.ts", joined("ts", (50, 50, 50)), evenly(150), BACK),
    Kind("joined_b.ts", joined("ts", (60, 40, 75, 25), b_frames=2), evenly(200), BACK),
    Kind("joined_mpeg2.ts", joined("ts", (50, 75), codec="mpeg2video", b_frames=2), evenly(125), BACK),
    Kind("joined_wrap.ts", joined("ts", (50, 50), shared_start=95_443.0), evenly(100), BACK),
    Kind("sound.flv", lambda: numbered_clip("flv", range(100), b_frames=2), evenly(100)),
    Kind("sparse.mpg", lambda: numbered_clip("mpg", range(200)), evenly(200), BETWEEN, tolerance=FRAME),
    Kind("sparse.vob", lambda: numbered_clip("vob", range(200)), evenly(200), BETWEEN, tolerance=FRAME),
    Kind("sparse_b.mpg", lambda: numbered_clip("mpg", range(200), b_frames=2), evenly(200), BETWEEN, tolerance=FRAME),
    Kind("paused.mpg", paused("mpg"), PAUSED, BETWEEN, tolerance=0.6),
    Kind("paused.vob", paused("vob", b_frames=2), PAUSED, BETWEEN, tolerance=0.6),
    Kind("joined.mpg", joined("mpg", (100, 100)), evenly(200), BACK, tolerance=2 * FRAME),
)
STRETCHES = ((0.0, 60.0), (1.5, 2.5), (2.9, 3.1))


def write(kind: Kind, folder: Path) -> Path:
    path = folder / kind.name
    path.write_bytes(kind.make())
    return path


def table(path: Path) -> tuple[dict[int, float], VideoSource, str]:
    """The time of each number as an analysis stores it, how its video is read again, and what is said of it."""
    info, plan = probe(path, max_pixels=MAX_PIXELS)
    ledger, found = Ledger(), {}
    for segment in plan_segments("x", info, plan, segment_seconds=30, fps=0):
        frames = read_frames(
            path, info, plan, segment, ledger, fps=0, start_seconds=0, end_seconds=None, decoder_threads=1,
            max_pixels=MAX_PIXELS,
        )  # fmt: skip
        found.update({number_of(frame.gray): frame.pts_seconds for frame in frames})
    source = VideoSource(path, MAX_PIXELS, info.start_time_seconds, info.time_source == "pts")
    return found, source, "; ".join(judge_loss(info, plan, ledger)[0])


def clip_times(path: Path) -> Iterator[tuple[int, float]]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield number_of(frame.to_ndarray(format="gray")), float(frame.pts * frame.time_base)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_frame_has_one_time_everywhere(tmp_path: Path, kind: Kind) -> None:
    path = write(kind, tmp_path)
    times, source, said = table(path)
    assert sorted(times) == list(range(len(kind.times)))
    own = np.array([times[number] for number in sorted(times)])
    assert np.abs((own - own[0]) - np.array(kind.times)).max() <= kind.tolerance + 1e-9
    assert abs(own[0]) <= FRAME + 1e-3
    assert kind.says in said

    for start, end in STRETCHES:
        expected = {number: seconds for number, seconds in times.items() if start <= seconds < end}
        shown = {
            number_of(np.asarray(picture.rgb[..., 1])): picture.seconds
            for picture in read_rgb_frames(source, start, end)
        }
        assert shown == expected
        target = tmp_path / f"clip-{start}.mp4"
        n = write_clip(
            target, read_rgb_frames(source, start, end), start_seconds=start, end_seconds=end, sound_from=source
        )
        assert n == len(expected)
        for number, seconds in clip_times(target):
            assert abs(start + seconds - expected[number]) <= 0.001

    with Capture(parse_address(str(path)), pace="unpaced", max_pixels=MAX_PIXELS) as capture:
        seen = {number_of(frame.frame().gray): frame.seconds for frame in iter(lambda: capture.slot.take(30.0), None)}
    assert seen == times
