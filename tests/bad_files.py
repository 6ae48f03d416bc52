"""Broken, odd and hostile files, each with what fervid promises of it. Written on the spot; nothing is shipped.

python tests/bad_files.py FOLDER    writes all of them, to look at
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
import numpy as np

from bad_sources import (
    SECONDS,
    box,
    clip,
    cut_off,
    mp4,
    overwritten,
    picture_as_video,
    png,
    remuxed,
    sound,
    ts,
    write,
)

COMPLETE, PARTIAL, REJECTED, SKIPPED, COMPLETE_OR_REJECTED = (
    "complete",
    "partial",
    "rejected",
    "skipped",
    "complete or rejected",
)
SAMPLES = "moov/trak/mdia/minf/stbl/"
SECRET = "secret.ts"
"""A sound video beside the hostile ones, which they name and which none of them may open."""


@dataclass(frozen=True)
class Case:
    """A file, what becomes of it, and a part of what is said of it (a reason, or one of the warnings)."""

    name: str
    promise: str
    make: Callable[[Path], object]
    says: str = ""


def of_bytes(content: Callable[[], bytes]) -> Callable[[Path], object]:
    """A maker that writes these bytes."""
    return lambda path: write(path, content())


def case(name: str | bytes, promise: str, content: Callable[[], bytes], says: str = "") -> Case:
    """A case that is a file of these bytes."""
    return Case(os.fsdecode(name), promise, of_bytes(content), says)


def _spoiled(part: tuple[float, float], every: int | None) -> bytes:
    """The plain clip with a part of its picture data overwritten: one byte in `every`, or with zeros."""
    content = bytearray(mp4())
    data = box(bytes(content), "mdat")
    length = data.stop - data.start
    first, last = (data.start + int(share * length) for share in part)
    rng = random.Random(1)
    if every is None:
        content[first:last] = bytes(last - first)
    else:
        for _ in range((last - first) // every):
            content[rng.randrange(first, last)] = rng.randrange(256)
    return bytes(content)


def _all_noise() -> bytes:
    content = bytearray(mp4())
    data = box(bytes(content), "mdat")
    content[data] = random.Random(2).randbytes(data.stop - data.start)
    return bytes(content)


def _offsets_beyond_the_end() -> bytes:
    content = mp4()
    table = box(content, SAMPLES + "stco")
    n = (table.stop - table.start - 8) // 4
    return overwritten(content, SAMPLES + "stco", 8, *[0x7FFFFF00] * n)


def _lying_count() -> bytes:
    content = overwritten(mp4(), SAMPLES + "stsz", 4, 1000, 0x7FFFFFFF)
    return overwritten(content, SAMPLES + "stts", 8, 0x7FFFFFFF)


def _lying_duration() -> bytes:
    content = mp4()
    for path, offset in (("moov/mvhd", 16), ("moov/trak/tkhd", 20), ("moov/trak/mdia/mdhd", 16)):
        content = overwritten(content, path, offset, 0x70000000)
    return content


def _no_samples() -> bytes:
    content = mp4()
    for table in ("stts", "stsc", "stco", "stss"):
        content = overwritten(content, SAMPLES + table, 4, 0)
    return overwritten(content, SAMPLES + "stsz", 8, 0)


def _all_at_once() -> bytes:
    content = mp4()
    table = box(content, SAMPLES + "stts")
    for at in range(8, table.stop - table.start, 8):
        content = overwritten(content, SAMPLES + "stts", at + 4, 0)
    return content


def _rotated(quarter_turns: int) -> bytes:
    a, b, c, d = {1: (0, 1, -1, 0), 2: (-1, 0, 0, -1), 3: (0, -1, 1, 0)}[quarter_turns]
    one = 0x10000
    return overwritten(mp4(), "moov/trak/tkhd", 40, a * one, b * one, 0, c * one, d * one, 0, 0, 0, 0x40000000)


def _mid_group() -> bytes:
    content = clip("clip.ts", gop=50, options={"preset": "ultrafast", "x264-params": "keyint=50:min-keyint=50"})
    packet = 188
    return content[: 4 * packet] + content[len(content) // 3 // packet * packet :]


def _encrypted() -> bytes:
    keys = {"encryption_key": "76a6c65c5ea762046bd749a2e632ccbb", "encryption_kid": "a7e61c373e219033c21091fa607bf3b8"}
    return remuxed("x.mp4", mp4(), encryption_scheme="cenc-aes-ctr", **keys)


def _motion_jpeg(width: int, height: int) -> bytes:
    return clip("x.avi", codec="mjpeg", pix_fmt="yuvj420p", size=(width, height), seconds=1)


def _told_apart(number: int) -> bytes:
    """The plain clip with an unused box behind it: one content is analysed only once."""
    return mp4() + (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")


def _two_pictures() -> bytes:
    made = BytesIO()
    with av.open(made, "w", format="mp4") as container:
        streams = []
        for size in ((160, 120), (320, 240)):
            stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            streams.append(stream)
        for i in range(25):
            for stream in streams:
                gray = np.full((stream.height, stream.width, 3), 5 * i, np.uint8)
                frame = av.VideoFrame.from_ndarray(gray, format="rgb24")
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return made.getvalue()


def _playlist(entry: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        named = entry.format(secret=(path.parent / SECRET).resolve())
        path.write_text(f"#EXTM3U\n## {path.name}\n#EXT-X-TARGETDURATION:10\n#EXTINF:3.0,\n{named}\n#EXT-X-ENDLIST\n")

    return make


def _concat(entry: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        path.write_text(f"ffconcat version 1.0\nfile {entry.format(secret=(path.parent / SECRET).resolve())}\n")

    return make


def _session_description() -> bytes:
    lines = "v=0|o=- 0 0 IN IP4 127.0.0.1|s=x|c=IN IP4 127.0.0.1|t=0 0|m=video 5004 RTP/AVP 96|a=rtpmap:96 H264/90000"
    return (lines.replace("|", "\n") + "\n").encode()


def _manifest_of_parts() -> bytes:
    return (
        b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        b'<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>secret.ts</BaseURL>'
        b"</Representation></AdaptationSet></Period></MPD>"
    )


def _unreadable(path: Path) -> None:
    write(path, _told_apart(1003)).chmod(0)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


CANNOT = "cannot be opened as a video"
DAMAGED = "could not be decoded"
NOTHING = "none of its frames can be decoded"

CONTAINERS = (
    case("good.mp4", COMPLETE, mp4),
    case("zero_byte.mp4", REJECTED, bytes, "is empty (0 bytes)"),
    case("one_byte.mp4", REJECTED, lambda: b"\0", CANNOT),
    case("cut_off_without_index.mp4", REJECTED, lambda: cut_off(mp4()), "index is missing or damaged"),
    case("cut_off_faststart.mp4", PARTIAL, lambda: cut_off(mp4(faststart=True)), "that its header claims"),
    case("cut_off_fragmented.mp4", PARTIAL, lambda: cut_off(mp4(fragmented=True)), "ends within a packet"),
    case("cut_off.mkv", PARTIAL, lambda: cut_off(remuxed("x.mkv", clip(seconds=6))), "that its header claims"),
    case("cut_off.ts", PARTIAL, lambda: cut_off(ts())[:-77], "ends within a packet"),
    case("cut_off.avi", PARTIAL, lambda: cut_off(clip("x.avi", codec="mpeg4")), "that its header claims"),
    case("bad_sectors.mp4", PARTIAL, lambda: _spoiled((0.33, 0.67), 50), DAMAGED),
    case("hole.mp4", PARTIAL, lambda: _spoiled((0.5, 0.6), None), DAMAGED),
    case("noise_for_pictures.mp4", REJECTED, _all_noise, NOTHING),
    case("offsets_beyond_the_end.mp4", REJECTED, _offsets_beyond_the_end),
    case("lying_count.mp4", COMPLETE_OR_REJECTED, _lying_count),
    case("lying_duration.mp4", COMPLETE, _lying_duration),
    case("noise.mp4", REJECTED, lambda: random.Random(3).randbytes(65536), CANNOT),
    case("text.mp4", REJECTED, lambda: b"this is not a video\n" * 200, CANNOT),
    case("login_page.mp4", REJECTED, lambda: b"<!doctype html><html><body>403 Forbidden</body></html>", CANNOT),
    case("picture.mp4", REJECTED, lambda: png(320, 240), CANNOT),
    case("mp4_inside.avi", COMPLETE, lambda: _told_apart(1001)),
    case("no_suffix", COMPLETE, lambda: _told_apart(1002)),
    case("noise_before.ts", COMPLETE, lambda: random.Random(5).randbytes(1000) + ts()),
    case("sound_alone.mp4", REJECTED, lambda: sound("mp4"), "has no video stream (streams: 1 audio)"),
    case("sound_with_cover.m4a", REJECTED, lambda: sound("mp4", with_cover=True), "1 cover image"),
    case("one_frame.mp4", COMPLETE, lambda: clip(times=[0.0])),
    case("no_samples.mp4", REJECTED, _no_samples),
    case("two_pictures.mp4", COMPLETE, _two_pictures),
    case("encrypted.mp4", REJECTED, _encrypted, "packets bad)"),
    case(
        "unknown_codec.mp4",
        REJECTED,
        lambda: mp4().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"),
        "cannot decode",
    ),
)

TIMES = (
    case("uneven.mp4", COMPLETE, lambda: clip(times=[0, 0.04, 0.08, 0.5, 0.54, 2.0, 2.04, 2.5])),
    case("no_times.h264", COMPLETE, lambda: clip("x.h264"), "frames per second were assumed"),
    case("decoding_times_alone.avi", COMPLETE, lambda: clip("x.avi", codec="mpeg4", b_frames=2)),
    case("all_at_once.mp4", COMPLETE, _all_at_once, "the packets were used"),
    case(
        "before_zero.mkv",
        COMPLETE,
        lambda: remuxed("x.mkv", mp4(), shift_seconds=-1.0, avoid_negative_ts="disabled"),
    ),
    case("edit_list.mp4", COMPLETE, lambda: remuxed("x.mp4", mp4(), shift_seconds=-0.3, avoid_negative_ts="disabled")),
    case("clock_jumps_back.ts", COMPLETE, lambda: ts() + clip("x.ts", seconds=2), "ran backwards"),
    case("twice_the_same.ts", COMPLETE, lambda: ts() * 2, "ran backwards"),
    case("an_hour_missing.ts", COMPLETE, lambda: ts() + clip("x.ts", first_seconds=3600)),
    case("clock_wraps.ts", COMPLETE, lambda: clip("x.ts", first_seconds=95441.7)),
    case("thousand_a_second.mp4", COMPLETE, lambda: clip(size=(64, 64), rate=1000, seconds=0.5)),
    case("one_an_hour.mp4", COMPLETE, lambda: clip(size=(64, 64), times=[3600.0 * i for i in range(10)])),
    case("begins_between_key_frames.ts", PARTIAL, _mid_group, "starts mid-GOP"),
    case("single_key_frame.mp4", COMPLETE, lambda: clip(gop=100_000)),
)

PIXELS = (
    case("turned_90.mp4", COMPLETE, lambda: _rotated(1)),
    case("turned_180.mp4", COMPLETE, lambda: _rotated(2)),
    case("turned_270.mp4", COMPLETE, lambda: _rotated(3)),
    case("ten_bit.mp4", COMPLETE, lambda: clip(pix_fmt="yuv420p10le")),
    case("yuv422.mp4", COMPLETE, lambda: clip(pix_fmt="yuv422p", seconds=1)),
    case("yuv444.mp4", COMPLETE, lambda: clip(pix_fmt="yuv444p", seconds=1)),
    case("gray.mp4", COMPLETE, lambda: clip(pix_fmt="gray", seconds=1)),
    case("gray16.mkv", COMPLETE, lambda: clip("x.mkv", codec="ffv1", pix_fmt="gray16le", seconds=1)),
    case("full_range.mp4", COMPLETE, lambda: clip(color_range=2, seconds=1)),
    case("alpha.mov", COMPLETE, lambda: clip("x.mov", codec="qtrle", pix_fmt="argb", seconds=1)),
    case("alpha.webm", COMPLETE, lambda: clip("x.webm", codec="libvpx-vp9", pix_fmt="yuva420p", seconds=1)),
    case("rgb.mkv", COMPLETE, lambda: clip("x.mkv", codec="libx264rgb", pix_fmt="rgb24", seconds=1)),
    case("mpeg2.ts", COMPLETE, lambda: clip("x.ts", codec="mpeg2video", seconds=1)),
    case("odd_size.avi", COMPLETE, lambda: _motion_jpeg(161, 121)),
    case("odd_size.mp4", COMPLETE, lambda: clip(pix_fmt="yuv444p", size=(161, 121), seconds=1)),
    case("two_by_two.mp4", COMPLETE, lambda: clip(size=(2, 2), seconds=1)),
    case("thin.mp4", COMPLETE, lambda: clip(size=(4096, 2), seconds=0.2)),
    case("eight_k.mp4", COMPLETE, lambda: clip(size=(7680, 4320), seconds=0.08)),
    case("wide_pixels.mp4", COMPLETE, lambda: clip(seconds=1, sample_aspect_ratio=2)),
    case("size_changes.ts", COMPLETE, lambda: ts() + clip("x.ts", size=(320, 240), first_seconds=SECONDS)),
    case("hevc.mp4", COMPLETE, lambda: clip(codec="libx265", seconds=1)),
    case("hevc_ten_bit.mp4", COMPLETE, lambda: clip(codec="libx265", pix_fmt="yuv420p10le", seconds=1)),
    case("av1.mkv", COMPLETE, lambda: clip("x.mkv", codec="libsvtav1", seconds=1)),
    case("mpeg4.avi", COMPLETE, lambda: clip("x.avi", codec="mpeg4", b_frames=2, seconds=1)),
    case("wmv2.wmv", COMPLETE, lambda: clip("x.wmv", codec="wmv2", seconds=1)),
    case("sorenson.flv", COMPLETE, lambda: clip("x.flv", codec="flv1", seconds=1)),
    case("h263.3gp", COMPLETE, lambda: clip("x.3gp", codec="h263", size=(176, 144), seconds=1)),
    case("moving.gif", COMPLETE, lambda: clip("x.gif", codec="gif", pix_fmt="rgb8", seconds=1)),
)

HOSTILE = (
    case("bomb.mov", REJECTED, lambda: picture_as_video(16000, 16000), "above the limit of 67,108,864"),
    case("bomb.mp4", REJECTED, lambda: png(30000, 30000), CANNOT),
    case("many_frames.mkv", COMPLETE, lambda: clip("x.mkv", size=(512, 512), rate=1000, seconds=0.5, gop=500)),
    Case("playlist.mp4", REJECTED, _playlist("file://{secret}"), CANNOT),
    Case("playlist.m3u8", REJECTED, _playlist("file://{secret}"), "It is a playlist"),
    Case("playlist_of_a_neighbour.m3u8", REJECTED, _playlist(SECRET), "It is a playlist"),
    Case("playlist_of_an_address.m3u8", REJECTED, _playlist("http://127.0.0.1:9/x.ts"), "It is a playlist"),
    Case("concat.mp4", REJECTED, _concat(SECRET), "It is a playlist"),
    Case("concat_absolute.mp4", REJECTED, _concat("'{secret}'"), "It is a playlist"),
    case("session.mp4", REJECTED, _session_description, CANNOT),
    case("parts.mp4", REJECTED, _manifest_of_parts, CANNOT),
    case("parts.mpd", REJECTED, lambda: _manifest_of_parts() + b"\n", CANNOT),
    case(
        "media_elsewhere.mov",
        COMPLETE_OR_REJECTED,
        lambda: mp4().replace(b"url \x00\x00\x00\x01", b"alis\x00\x00\x00\x00"),
    ),
)

NAMES = tuple(
    case(name, COMPLETE, lambda i=i: _told_apart(i))
    for i, name in enumerate(
        (
            b"caf\xe9.mp4",
            "e\u0301te\u0301 \U0001f600 \u0645\u0631\u062d\u0628\u0627.mp4".encode(),
            b"n" * 251 + b".mp4",
            b"new\nline.mp4",
            b"escape\x1b[2J\x1b]0;title\x07.mp4",
            b"-i.mp4",
            b"frame%03d.mp4",
            b"concat:a|b.mp4",
            b"http:x.mp4",
            b"pipe:0.mp4",
            b"<img src=x onerror=alert(1)>.mp4",
            b"=cmd,'quote\"; $(touch x).mp4",
            "gpj\u202e4pm.mp4".encode(),
            b" spaces  .mp4 ",
            b"a=b?c&d#e;f.mp4",
            b"...mp4",
        ),
        start=1,
    )
)

FILE_SYSTEM = (
    Case("folder.mp4", SKIPPED, lambda path: path.mkdir()),
    Case("leads_nowhere.mp4", REJECTED, lambda path: path.symlink_to("does-not-exist"), "does not exist"),
    Case("leads_to_itself.mp4", REJECTED, lambda path: path.symlink_to(path.name), "cannot be read"),
    Case("endless_walk", SKIPPED, lambda path: (path.mkdir(), (path / "again").symlink_to(".."))),
    Case("unreadable.mp4", REJECTED, _unreadable, "permission denied"),
    Case("pipe.mp4", REJECTED, os.mkfifo, "is not a regular file"),
    Case("endless.mp4", REJECTED, lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
    Case("a_tebibyte_of_nothing.mp4", REJECTED, _sparse, CANNOT),
)

CASES = (*CONTAINERS, *TIMES, *PIXELS, *HOSTILE, *NAMES, *FILE_SYSTEM)


def make_all(folder: Path, cases: tuple[Case, ...] = CASES) -> list[Path]:
    """Write the cases into a folder, and the secret that hostile ones name; returns the paths of the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / SECRET, ts())
    paths = []
    for bad in cases:
        path = folder / bad.name
        bad.make(path)
        paths.append(path)
    return paths


if __name__ == "__main__":
    print(f"{len(make_all(Path(sys.argv[1])))} files in {sys.argv[1]}")
