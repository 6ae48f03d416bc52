"""Frames of a run's video for previews, shrunk and with covered faces, as a clip or a still.

Runs in the server's process or in a worker of its own. Knows neither the cache nor the server.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Literal

import numpy as np

from fervid.alerts.find.samples import read_faces_between
from fervid.base.opencv import cv2
from fervid.errors import InputError, OutputError
from fervid.privacy.covers import HELD_SECONDS, FaceCovers
from fervid.privacy.mosaic import cover_in_place
from fervid.privacy.search import SEARCH_EVERY_SECONDS, CoverSearch, FaceSearch
from fervid.run.handle import Run
from fervid.video.stretch import VideoSource
from fervid.video.writer import Picture, RgbFrame, check_is_there, read_pictures, write_clip

Blur = Literal["all", "none"]

CLIP_HEIGHT_PX, STILL_WIDTH_PX = 360, 320
AROUND_SECONDS = 1.0
"""Stored faces within this time before and after a clip are covered in it."""
STILL_SECONDS = 2.0
"""A still uses the first decodable frame within this time after the requested moment."""
ROUNDING_SECONDS = 1e-3
"""Moments are named in whole milliseconds: the frame may be so much earlier."""
JPEG_QUALITY = 80

Reached = Callable[[float], None]
"""Told each second that was reached; may raise to cancel."""

_own = threading.local()


def _ignored(_seconds: float) -> None:
    return


def make_clip(
    run: Run, target: Path, start_seconds: float, end_seconds: float, *, blur: Blur, reached: Reached = _ignored
) -> None:
    """Write the frames from start to end as a chunk, an MP4 that browsers can join with the next.

    Raises OutputError, or WrittenShort without any frame.
    """
    write_clip(
        target,
        preview_frames(
            run,
            _reader().read(VideoSource.of(run.manifest), start_seconds, end_seconds),
            (start_seconds, end_seconds),
            height_px=CLIP_HEIGHT_PX,
            blur=blur,
            reached=reached,
        ),
        start_seconds=start_seconds,
        end_seconds=end_seconds,
        sound_from=VideoSource.of(run.manifest),
        is_private=blur == "none",
        is_chunk=True,
    )


def make_still(run: Run, seconds: float, *, blur: Blur, reached: Reached = _ignored) -> bytes:
    """The frame at a moment as a JPEG of STILL_WIDTH_PX. Raises InputError where none can be decoded."""
    size = float(run.manifest.video["width_px"]) / float(run.manifest.video["height_px"])
    height_px = round(1.5 * STILL_WIDTH_PX / size)
    start = max(0.0, seconds - ROUNDING_SECONDS)
    span = start, start + STILL_SECONDS
    pictures = read_pictures(VideoSource.of(run.manifest), *span)
    frames = preview_frames(run, pictures, span, height_px=height_px, blur=blur, reached=reached)
    rgb = next((frame.rgb for frame in frames), None)
    if rgb is None:
        raise InputError(f"no frame of {Path(run.manifest.video_path).name} could be decoded at {seconds:.1f} s.")
    height = max(1, round(rgb.shape[0] * STILL_WIDTH_PX / rgb.shape[1]))
    small = cv2.resize(rgb, (STILL_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    is_done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), quality)
    if not is_done:
        raise OutputError(f"a still of {Path(run.manifest.video_path).name} cannot be encoded.")
    return data.tobytes()


# Decision REV-12.
class StretchReader:
    """Reads a video stretch by stretch: one that begins where the last one ended keeps its decoder.

    Otherwise every chunk would be decoded from the key frame before it, which may lie ten seconds back.
    """

    def __init__(self) -> None:
        self._pictures: Iterator[Picture] = iter(())
        self._next: Picture | None = None
        self._place: tuple[object, float] | None = None

    def read(self, source: VideoSource, start: float, end: float) -> Iterator[Picture]:
        """The frames with start <= time < end, in order."""
        video = source, _stamp(source.path)
        is_next, self._place = self._place == (video, start), None  # the next one cannot follow one that is given up
        if not is_next:
            self._next = None
            self._pictures = read_pictures(source, start, inf)
            self._next = next(self._pictures, None)
        while self._next is not None and self._next.seconds < end:
            yield self._next
            self._next = next(self._pictures, None)
        self._place = video, end


def _reader() -> StretchReader:
    """The reader of this thread."""
    if not hasattr(_own, "reader"):
        _own.reader = StretchReader()
    found: StretchReader = _own.reader
    return found


def _stamp(path: Path) -> tuple[int, int, int]:
    """What is another where a file was replaced. Raises VideoUnreadable."""
    check_is_there(path)
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def preview_frames(
    run: Run,
    pictures: Iterator[Picture],
    span: tuple[float, float],
    *,
    height_px: int,
    blur: Blur,
    reached: Reached = _ignored,
) -> Iterator[RgbFrame]:
    """Shrunk frames with square pixels, faces covered. Each waits until what may lie ahead of it is searched.

    `pictures` are those of `span`, its start and end in seconds.
    """
    covers, search, last_factors = FaceCovers(), None, (1.0, 1.0)
    waiting: deque[RgbFrame] = deque()
    ahead = max(HELD_SECONDS, SEARCH_EVERY_SECONDS)
    for picture in pictures:
        reached(picture.seconds)
        shrunk, factors = shrink(picture, height_px)
        if blur == "none":
            yield shrunk
            continue
        if search is None or factors != last_factors:
            for left in waiting:
                yield _covered(left, covers)
            waiting.clear()
            last_factors = factors
            covers = FaceCovers(_stored_tracks(run, *span, factors))
            search = CoverSearch(covers, _face_search())
        search.see(shrunk.seconds, shrunk.rgb)
        waiting.append(shrunk)
        while shrunk.seconds - waiting[0].seconds > ahead:
            yield _covered(waiting.popleft(), covers)
    for left in waiting:
        yield _covered(left, covers)


def _face_search() -> FaceSearch:
    """The search of this thread: loading its network takes longer than a still."""
    if not hasattr(_own, "search"):
        _own.search = FaceSearch()
    found: FaceSearch = _own.search
    return found


def _covered(frame: RgbFrame, covers: FaceCovers) -> RgbFrame:
    cover_in_place(frame.rgb, covers.at(frame.seconds))
    return frame


def shrink(picture: Picture, height_px: int) -> tuple[RgbFrame, tuple[float, float]]:
    """A frame downscaled to at most `height_px` with square pixels, and its scale factors (x, y)."""
    width, height = picture.shown_size
    size = small_size(width, height, picture.pixel_aspect, height_px)
    return picture.rgb(size), (size[0] / width, size[1] / height)


def small_size(width: int, height: int, pixel_aspect: Fraction, height_px: int) -> tuple[int, int]:
    """Width and height of an image with square pixels that is at most `height_px` high."""
    shrink = min(1.0, height_px / height)
    return max(2, round(width * float(pixel_aspect) * shrink)), max(2, round(height * shrink))


def _stored_tracks(
    run: Run, start: float, end: float, scale: tuple[float, float]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    columns = ["time_s", "track_id", "x", "y", "w", "h"]
    rows = read_faces_between(run, start - AROUND_SECONDS, end + AROUND_SECONDS, columns)
    x, y, w, h = (rows[name].to_numpy().astype(np.float64) for name in ("x", "y", "w", "h"))
    boxes = np.stack([x, y, x + w, y + h], axis=1) * [scale[0], scale[1], scale[0], scale[1]]
    ids, times = rows["track_id"].to_numpy(), rows["time_s"].to_numpy()
    return {track: (times[ids == track], boxes[ids == track]) for track in np.unique(ids).tolist()}
