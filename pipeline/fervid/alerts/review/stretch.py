"""A stretch of a run's video as a clip or a still with covered faces: for evidence, and for what is taken from a page.

Knows no alert and no rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from fervid.alerts.find.samples import read_faces_between
from fervid.alerts.review.preview_frames import small_size
from fervid.base.opencv import cv2
from fervid.errors import OutputError, WrittenShort
from fervid.privacy.covers import FaceCovers
from fervid.privacy.mosaic import CoveredArea
from fervid.privacy.reading import AROUND_SECONDS, covered_frames
from fervid.run.handle import Run
from fervid.run.shown import Shown
from fervid.video.bar import Reached, with_bar
from fervid.video.stretch import VideoSource
from fervid.video.writer import Picture, RgbFrame, read_pictures, write_clip

Blur = Literal["all", "others", "none"]

STILL_SECONDS = 2.0
"""A still is the first frame that can be decoded within this time after the wanted moment."""
JPEG_QUALITY = 90
BOX_COLUMNS = ("time_s", "track_id", "x", "y", "w", "h")


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` to `end` seconds of `source`."""

    source: VideoSource
    start: float
    end: float
    blur: Blur
    bar: str = ""
    """What the progress bar says; empty without one."""
    reached: Reached = field(default_factory=Reached)


def covers_of(rows: pa.Table, stretch: Stretch, spared: frozenset[int] = frozenset()) -> FaceCovers | None:
    """What to cover in a stretch before it is searched: the tracks of `rows` (with BOX_COLUMNS).

    `spared` tracks stay open with blur "others". None where nothing is covered.
    """
    if stretch.blur == "none":
        return None
    ids, times = rows["track_id"].to_numpy(), rows["time_s"].to_numpy()
    x, y, w, h = (rows[name].to_numpy().astype(np.float64) for name in ("x", "y", "w", "h"))
    boxes = np.stack([x, y, x + w, y + h], axis=1)
    tracks = {track: (times[ids == track], boxes[ids == track]) for track in np.unique(ids).tolist()}
    return FaceCovers(tracks, spared=spared if stretch.blur == "others" else frozenset())


def frames_of(stretch: Stretch, covers: FaceCovers | None, area: CoveredArea) -> Iterator[RgbFrame]:
    """The frames of a stretch, with the faces covered that `covers` holds or a search finds; none where it is None.

    `area` adds up how much of them that is.
    """

    def read(first: float, last: float) -> Iterator[Picture]:
        decoded = ((picture.seconds, picture) for picture in read_pictures(stretch.source, first, last))
        is_shown = bool(stretch.bar)
        return with_bar(decoded, stretch.bar, stretch.start, stretch.end, is_shown=is_shown, reached=stretch.reached)

    if covers is None:
        return (picture.rgb() for picture in read(stretch.start, stretch.end))
    return covered_frames(read, covers, stretch.start, stretch.end, area)


def cut_clip(
    run: Run,
    target: Path,
    start: float,
    end: float,
    blur: Blur,
    height_px: int | None = None,
    *,
    reached: Reached | None = None,
) -> str:
    """Write a stretch of a run's video as an MP4 with its sound; returns what it lacks, in words.

    `height_px` shrinks larger frames to that height, with square pixels.

    Raises WrittenShort without any frame, OutputError on a write error, VideoUnreadable when the video has gone.
    """
    stretch = Stretch(VideoSource.of(run.manifest), start, end, blur, reached=reached or Reached())
    covers = covers_of(_rows(run, stretch), stretch)
    shown = Shown(run, start, end)

    def frames() -> Iterator[RgbFrame]:
        for frame in frames_of(stretch, covers, CoveredArea()):
            shown.seconds.append(frame.seconds)
            yield frame if height_px is None else _shrunk(frame, height_px)

    write_clip(
        target,
        frames(),
        start_seconds=start,
        end_seconds=end,
        sound_from=stretch.source,
        is_private=blur != "all",
    )
    return shown.shortfall(target.name)


def _shrunk(frame: RgbFrame, height_px: int) -> RgbFrame:
    """A frame, its faces covered, with square pixels and at most `height_px` high."""
    height, width = frame.rgb.shape[:2]
    size = small_size(width, height, frame.pixel_aspect, height_px)
    return RgbFrame(frame.seconds, np.asarray(cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)), Fraction(1))


def cut_still(run: Run, target: Path, seconds: float, blur: Blur, *, reached: Reached | None = None) -> None:
    """Write the frame at a moment as a JPEG. Raises WrittenShort without one, OutputError, VideoUnreadable."""
    stretch = Stretch(
        VideoSource.of(run.manifest), seconds, seconds + STILL_SECONDS, blur, reached=reached or Reached()
    )
    covers = covers_of(_rows(run, stretch), stretch)
    frame = next(frames_of(stretch, covers, CoveredArea()), None)
    if frame is None:
        raise WrittenShort(f"{target.name}: no frame could be decoded at {seconds:.1f} s. Check the video.")
    save_still(target, frame)


def save_still(path: Path, frame: RgbFrame) -> None:
    """Write a frame as a JPEG with square pixels. Raises OutputError."""
    rgb = frame.rgb
    if frame.pixel_aspect != 1:
        rgb = cv2.resize(rgb, (max(1, round(rgb.shape[1] * float(frame.pixel_aspect))), rgb.shape[0]))
    encoded, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not encoded:
        raise OutputError(f"{path} cannot be made from a frame of {rgb.shape[1]}x{rgb.shape[0]}.")
    path.write_bytes(data.tobytes())


def _rows(run: Run, stretch: Stretch) -> pa.Table:
    return read_faces_between(run, stretch.start - AROUND_SECONDS, stretch.end + AROUND_SECONDS, list(BOX_COLUMNS))
