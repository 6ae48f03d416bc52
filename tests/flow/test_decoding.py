"""Decoding of what is wanted alone gives the pictures of full decoding; luma of every kind of source is right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from fervid.base.types import Frame
from fervid.emotion.crops import LIMITED_TO_FULL_RANGE
from fervid.video import reader
from fervid.video.ledger import Ledger
from fervid.video.packets import FrameMaker
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments
from synthetic import SIZE, constant_rate, moving_face, variable_rate, write_video

MAX_PIXELS = 1 << 24
B_FRAMES = {"bf": "3", "preset": "veryfast"}

SOURCES: dict[str, tuple[str, str, dict[str, str], bool]] = {
    # name: codec, file, options, whether frames can be passed over
    "h264 pyramid": ("libx264", "v.mp4", B_FRAMES | {"x264-params": "b-pyramid=normal"}, True),
    "h264 open groups": ("libx264", "v.mkv", B_FRAMES | {"x264-params": "open-gop=1"}, True),
    "h264 stream": ("libx264", "v.ts", B_FRAMES, True),
    "h264 interlaced": ("libx264", "v.mp4", B_FRAMES | {"x264-params": "tff=1", "flags": "+ildct+ilme"}, True),
    "h264 in avi": ("libx264", "v.avi", B_FRAMES, False),
    "hevc": ("libx265", "v.mp4", {"preset": "ultrafast", "x265-params": "bframes=4:log-level=none"}, True),
    "hevc layers": (
        "libx265",
        "v.mkv",
        {"preset": "ultrafast", "x265-params": "bframes=3:temporal-layers=3:log-level=none"},
        False,
    ),
    "mpeg2": ("mpeg2video", "v.ts", {"bf": "2"}, True),
    "mpeg4": ("mpeg4", "v.mp4", {"bf": "2"}, True),
    "vp9": ("libvpx-vp9", "v.webm", {"deadline": "realtime", "cpu-used": "8"}, False),
    "mjpeg": ("mjpeg", "v.avi", {}, True),
}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A clip of 4 s of a source, encoded once."""
    folder, made = tmp_path_factory.mktemp("sources"), dict[str, Path]()

    def clip(name: str) -> Path:
        if name not in made:
            codec, file, options, _ = SOURCES[name]
            (folder / name).mkdir()
            pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            made[name] = encode(folder / name / file, codec, options, pixel_format=pixel_format)
        return made[name]

    return clip


def encode(
    path: Path, codec: str, options: dict[str, str], *, pixel_format: str = "yuv420p", seconds: float = 4
) -> Path:
    """The moving face at 25 frames a second, with a key frame a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixel_format
        stream.codec_context.gop_size = 25
        for time in constant_rate(seconds):
            gray = moving_face(time)
            frame = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(
    path: Path,
    *,
    fps: float = 5.0,
    every: int | None = None,
    segment_seconds: float = 2.0,
    start: float = 0.0,
    end: float | None = None,
    decoder_threads: int = 2,
) -> tuple[list[tuple[Any, ...]], Ledger]:
    """What every frame of a video is, down to its pixels, and the ledger of all segments."""
    info, plan = probe(path, max_pixels=MAX_PIXELS)
    total, frames = Ledger(), []
    for segment in plan_segments(
        "v", info, plan, segment_seconds=segment_seconds, fps=fps, every=every, start_seconds=start, end_seconds=end
    ):
        ledger = Ledger()
        found = read_frames(
            path,
            info,
            plan,
            segment,
            ledger,
            fps=fps,
            every=every,
            start_seconds=start,
            end_seconds=end,
            decoder_threads=decoder_threads,
            max_pixels=MAX_PIXELS,
        )
        frames += [described(frame) for frame in found]
        assert ledger.balance()
        total.add(ledger)
    return frames, total


def described(frame: Frame) -> tuple[Any, ...]:
    pixels = hashlib.sha256(np.ascontiguousarray(frame.gray).tobytes()).hexdigest()
    return frame.index, frame.pts, frame.pts_seconds, frame.is_corrupt, frame.is_full_range, frame.gray.shape, pixels


def read_in_full(monkeypatch: pytest.MonkeyPatch, path: Path, **options: Any) -> tuple[list[tuple[Any, ...]], Ledger]:
    with monkeypatch.context() as patch:
        patch.setattr(reader, "select_frames", lambda *_, **__: None)
        return read(path, **options)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(("fps", "segment_seconds"), [(5.0, 100.0), (3.0, 1.0)])
def test_what_is_passed_over_changes_no_picture(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, name: str, fps: float, segment_seconds: float
) -> None:
    path = make(name)
    expected, full = read_in_full(monkeypatch, path, fps=fps, segment_seconds=segment_seconds)
    found, ledger = read(path, fps=fps, segment_seconds=segment_seconds)
    assert found == expected
    assert (ledger.frames, ledger.analysed, ledger.failed) == (full.frames, full.analysed, full.failed)
    assert (full.undecoded, full.decoded) == (0, 100)
    assert (ledger.undecoded > 20) is SOURCES[name][3], ledger


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("every", [1, 3, 7, 1000])
def test_every_nth_frame_is_the_same_with_and_without_selective_decoding(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, name: str, every: int
) -> None:
    path = make(name)
    expected, full = read_in_full(monkeypatch, path, every=every, segment_seconds=1.0)
    found, ledger = read(path, every=every, segment_seconds=1.0)
    assert found == expected
    assert ledger.analysed == full.analysed == len(range(0, 100, every))
    if name != "h264 in avi":  # whose frames come out of order: the first of each N is taken there
        assert [frame[0] for frame in found] == list(range(0, 100, every))
    assert read(path, every=every, segment_seconds=100.0)[0] == found
    part = read(path, every=every, segment_seconds=1.0, start=1.5, end=3.1)[0]
    assert part == [frame for frame in found if 1.5 <= frame[2] < 3.1]


@pytest.mark.parametrize(("start", "end"), [(1.5, None), (0.0, 2.3), (0.9, 1.1), (2.41, 2.43)])
def test_a_part_of_a_video_has_the_pictures_of_full_decoding(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, start: float, end: float | None
) -> None:
    path = make("h264 pyramid")
    expected, full = read_in_full(monkeypatch, path, start=start, end=end)
    found, ledger = read(path, start=start, end=end)
    assert found == expected
    assert ledger.frames == full.frames


def test_every_frame_is_decoded_when_every_frame_is_wanted(make: Callable[[str], Path]) -> None:
    frames, ledger = read(make("h264 pyramid"), fps=0)
    assert (len(frames), ledger.decoded, ledger.undecoded) == (100, 100, 0)


def test_a_variable_rate_has_the_pictures_of_full_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "v.mp4", variable_rate(5), gop=12)
    expected, _ = read_in_full(monkeypatch, path)
    found, ledger = read(path)
    assert found == expected
    assert ledger.undecoded > 5


def test_frames_behind_the_last_sample_of_a_group_are_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", constant_rate(2), gop=10)  # no B frames: every picture is referred to
    _, ledger = read(path)
    assert (ledger.frames, ledger.analysed, ledger.undecoded) == (50, 10, 20)  # 0..9: 0 and 5 are sampled, 6..9 not


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["h264 pyramid", "h264 stream", "mpeg2", "mpeg4"])
def test_damage_leaves_its_slots_to_the_next_sound_frame(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, seed: int
) -> None:
    """What only full decoding sees may be missing; what is there is sound, and every slot that can be is filled."""
    whole = make(name)
    content = bytearray(whole.read_bytes())
    rng = np.random.default_rng(seed)
    begin = content.index(b"mdat") + 4000 if b"mdat" in content else 4000
    for position in rng.integers(begin, len(content) - 6000, 12):
        content[position] ^= 1 << rng.integers(8)
    path = tmp_path / whole.name
    path.write_bytes(content)
    expected, full = read_in_full(monkeypatch, path, segment_seconds=1.0, decoder_threads=1)
    found, ledger = read(path, segment_seconds=1.0, decoder_threads=1)
    sound = [{int(frame[2] * 5 + 1e-6) for frame in frames if not frame[3]} for frames in (expected, found)]
    assert len(sound[0]) > 10
    assert sound[0] == sound[1]
    assert ledger.bad_packets <= full.bad_packets
    assert read(path, segment_seconds=1.0, decoder_threads=1) == (found, ledger)


def test_a_wanted_packet_that_cannot_be_decoded_has_its_segment_decoded_in_full(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with av.open(str(make("h264 pyramid"))) as container:
        packet = next(
            p for p in container.demux(video=0) if p.pts is not None and abs(p.pts * p.time_base - 1.2) < 0.01
        )
        place, size = packet.pos, packet.size
    content = bytearray(make("h264 pyramid").read_bytes())
    content[place : place + size] = bytes(size)
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    expected, full = read_in_full(monkeypatch, path)
    found, ledger = read(path)
    assert found == expected
    assert ledger.bad_packets == full.bad_packets == 1
    assert 0 < ledger.undecoded < 50  # of the second segment alone


def test_leaving_early_closes_the_decoder(make: Callable[[str], Path]) -> None:
    info, plan = probe(make("h264 pyramid"), max_pixels=MAX_PIXELS)
    (segment,) = plan_segments("v", info, plan, segment_seconds=100, fps=5)
    for n_taken in range(4):
        frames: Iterator[Frame] = read_frames(
            info.path, info, plan, segment, Ledger(), fps=5.0, start_seconds=0, end_seconds=None, decoder_threads=4,
            max_pixels=MAX_PIXELS,
        )  # fmt: skip
        for _ in range(n_taken):
            next(frames)
        frames.close()  # type: ignore[attr-defined]


LUMA_SOURCES = {
    "10 bit": ("libx264", "v.mp4", "yuv420p10le", {}),
    "4:2:2": ("libx264", "v.mp4", "yuv422p", {}),
    "4:4:4": ("libx264", "v.mp4", "yuv444p", {}),
    "4:2:2 in 10 bit": ("prores_ks", "v.mov", "yuv422p10le", {}),
    "full range": ("libx264", "v.mp4", "yuvj420p", {}),
    "hevc in 12 bit": ("libx265", "v.mp4", "yuv420p12le", {"x265-params": "log-level=none"}),
    "mjpeg": ("mjpeg", "v.avi", "yuvj422p", {}),
    "gray": ("ffv1", "v.mkv", "gray", {}),
    "16 bit gray": ("ffv1", "v.mkv", "gray16le", {}),
    "rgb": ("png", "v.mov", "rgb24", {}),
    "gif": ("gif", "v.gif", "rgb8", {}),
    "interlaced": ("mpeg2video", "v.ts", "yuv420p", {"flags": "+ildct+ilme", "top": "1"}),
}


@pytest.mark.parametrize("name", LUMA_SOURCES)
def test_luma_is_what_an_independent_conversion_makes_of_the_picture(tmp_path: Path, name: str) -> None:
    codec, file, pixel_format, options = LUMA_SOURCES[name]
    path = encode(tmp_path / file, codec, options, pixel_format=pixel_format, seconds=0.4)
    info, _ = probe(path, max_pixels=MAX_PIXELS)
    maker = FrameMaker(info)
    n_compared = 0
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            frame = maker.frame(picture, 0, 0, 0.0)
            gray = frame.gray if frame.is_full_range else LIMITED_TO_FULL_RANGE[frame.gray]
            if picture.format.is_rgb:
                reference = picture.to_ndarray(format="rgb24") @ [0.299, 0.587, 0.114]
            else:
                reference = picture.reformat(format="gray", dst_color_range="JPEG").to_ndarray().astype(float)
            difference = np.abs(gray - reference)
            assert difference.mean() <= 0.6  # deep luma is cut off, not rounded
            assert np.quantile(difference, 0.99) <= 2
            n_compared += 1
    assert n_compared == 10
    face = moving_face(0.36)
    assert np.corrcoef(gray.ravel(), face.ravel())[0, 1] > 0.95
    assert abs(float(gray.mean()) - float(face.mean())) < 2


def test_planar_luma_is_not_copied(tmp_path: Path) -> None:
    path = encode(tmp_path / "v.mp4", "libx264", {}, seconds=0.2)
    info, _ = probe(path, max_pixels=MAX_PIXELS)
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
    frame = FrameMaker(info).frame(picture, 0, 0, 0.0)
    assert picture.planes[0].line_size > SIZE[0]
    assert np.shares_memory(frame.gray, np.frombuffer(picture.planes[0], np.uint8))


def test_frames_let_their_pictures_go(make: Callable[[str], Path]) -> None:
    """No cycle keeps a decoded picture until Python's collector comes round: each is megabytes."""
    import gc

    info, plan = probe(make("h264 pyramid"), max_pixels=MAX_PIXELS)
    (segment,) = plan_segments("v", info, plan, segment_seconds=100, fps=5)
    gc.collect()
    gc.disable()
    try:
        frames = read_frames(
            info.path, replace(info), plan, segment, Ledger(), fps=5.0, start_seconds=0, end_seconds=None,
            decoder_threads=1, max_pixels=MAX_PIXELS,
        )  # fmt: skip
        assert len([None for _ in frames]) == 20
        kept = [thing for thing in gc.get_objects() if isinstance(thing, av.VideoFrame)]
    finally:
        gc.enable()
    assert len(kept) <= 2


def test_a_title_that_is_not_utf8_does_no_harm(tmp_path: Path) -> None:
    plain, path = write_video(tmp_path / "plain.mp4", constant_rate(0.4)), tmp_path / "titled.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        out.metadata["title"] = "Cafee"
        copy = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    assert path.read_bytes().count(b"Cafee") == 1
    path.write_bytes(path.read_bytes().replace(b"Cafee", b"Caf\xe9e"))
    info, plan = probe(path, max_pixels=MAX_PIXELS)
    assert plan.n_packets == 10
    assert {type(info.time_base), type(info.sample_aspect_ratio)} == {Fraction}  # as text in a manifest: "1", not "1/1"
