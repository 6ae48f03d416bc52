"""Which stream is the video, how it is turned, and which part of it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from bad_files import mp4
from fervid.config.video import VideoSettings
from fervid.errors import InputError
from fervid.video.loss import judge_loss
from fervid.video.probe import probe
from fervid.video.reader import Ledger
from fervid.video.stretch import VideoSource
from fervid.video.writer import read_gray
from numbered_clips import number_of, numbered

MAX_PIXELS = 10**7


def two_streams(
    path: Path, codecs: Sequence[str], lengths: Sequence[int], *, defaults: Sequence[bool] | None = None
) -> Path:
    """A file whose n-th video stream shows the numbers from 1000 n on."""
    with av.open(str(path), "w") as container:
        streams = []
        for i, codec in enumerate(codecs):
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = 192, 96
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
            if defaults is not None:
                stream.disposition = av.stream.Disposition.default if defaults[i] else av.stream.Disposition(0)
            streams.append(stream)
        for i in range(max(lengths)):
            for n, stream in enumerate(streams):
                if i < lengths[n]:
                    frame = av.VideoFrame.from_ndarray(numbered(1000 * n + i), format="rgb24")
                    frame.pts, frame.time_base = i, Fraction(1, 25)
                    container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codecs", "lengths", "defaults", "chosen"),
    [
        ("thumbnail.mp4", ("mjpeg", "libx264"), (1, 100), None, "the only one"),
        ("thumbnail.mov", ("mjpeg", "libx264"), (1, 100), (True, False), "the only one"),
        ("thumbnail.mkv", ("mjpeg", "libx264"), (1, 100), None, "the only one"),
        ("frame_first.mp4", ("libx264", "libx264"), (1, 100), (True, False), "the only one"),
        ("default_second.mkv", ("libx264", "libx264"), (100, 100), (False, True), "second"),
        ("longer_second.mkv", ("libx264", "libx264"), (40, 100), None, "second"),
        ("equal.mp4", ("libx264", "libx264"), (100, 100), None, "first"),
        ("equal.ts", ("libx264", "libx264"), (100, 100), None, "first"),
    ],
)
def test_the_video_is_the_default_or_the_longest_never_a_thumbnail(
    tmp_path: Path,
    name: str,
    codecs: Sequence[str],
    lengths: Sequence[int],
    defaults: Sequence[bool] | None,
    chosen: str,
) -> None:
    path = two_streams(tmp_path / name, codecs, lengths, defaults=defaults)
    info, plan = probe(path, max_pixels=MAX_PIXELS)
    assert plan.n_packets == 100
    said = "; ".join(judge_loss(info, plan, Ledger(analysed=1))[0])
    assert ("2 video streams" in said) == (chosen != "the only one")
    if chosen != "the only one":
        assert info.stream == (chosen == "second")


def test_another_stream_is_read_when_asked_for(tmp_path: Path) -> None:
    path = two_streams(tmp_path / "two.mp4", ("libx264", "libx264"), (50, 50))
    for number in (0, 1):
        source = VideoSource(path, MAX_PIXELS, stream=number)
        assert [number_of(gray) for _, gray, _ in read_gray(source, 1.0, 1.1)] == [
            1000 * number + i for i in (25, 26, 27)
        ]
    with pytest.raises(InputError, match="no video stream 2: it has 2"):
        probe(path, max_pixels=MAX_PIXELS, stream=2)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_images_are_turned_on_top_of_what_the_file_says(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(mp4())
    info, _ = probe(path, max_pixels=MAX_PIXELS, turn_degrees=degrees)
    assert (info.width_px, info.height_px) == ((120, 160) if degrees % 180 else (160, 120))
    upright = next(read_gray(VideoSource(path, MAX_PIXELS), 0.0, 1.0))[1]
    turned = next(read_gray(VideoSource(path, MAX_PIXELS, turn_degrees=degrees), 0.0, 1.0))[1]
    np.testing.assert_array_equal(turned, np.rot90(upright, -degrees // 90))


@pytest.mark.parametrize(
    "changes", [{}, {"stream": None}, {"rotate": 0}, {"crop": None}, {"rotate": 0, "crop": None, "stream": None}]
)
def test_results_of_runs_that_use_none_of_it_keep_their_hash(changes: dict[str, object]) -> None:
    assert VideoSettings.model_validate(changes).results_depend_on() == VideoSettings().results_depend_on()
    at = VideoSettings(start_time="2026-11-20T22:00:00", time_zone="Europe/Berlin")
    assert at.results_depend_on() == VideoSettings().results_depend_on()
    assert not {"stream", "rotate", "crop"} & VideoSettings().results_depend_on().keys()


@pytest.mark.parametrize("changes", [{"stream": 0}, {"rotate": 90}, {"crop": (0, 0, 10, 10)}])
def test_results_of_another_image_have_another_hash(changes: dict[str, object]) -> None:
    assert VideoSettings.model_validate(changes).results_depend_on() != VideoSettings().results_depend_on()
