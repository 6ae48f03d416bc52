"""Short H.264 clips and thumbnails of a run's video for browsers: made on demand, cached.

They are in the run's folder, so that removing the run removes them, and together stay below a size limit (least
recently used go first). Faces are covered by default; a face that no search finds stays uncovered.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from fervid.alerts.find.samples import read_faces_between
from fervid.base.opencv import cv2
from fervid.errors import InputError, OutputError
from fervid.privacy.audit import note_open_faces
from fervid.privacy.covers import HELD_SECONDS, FaceCovers
from fervid.privacy.mosaic import cover
from fervid.privacy.search import SEARCH_EVERY_SECONDS, CoverSearch, FaceSearch
from fervid.run.derived import note_derived, publish_derived
from fervid.run.handle import Run
from fervid.video.stretch import VideoSource
from fervid.video.writer import RgbFrame, check_is_there, read_rgb_frames, write_clip

Blur = Literal["all", "none"]

FOLDER = "previews"
OWN_FILES = re.compile(r"(?:clip-\d{5,}\.mp4|clip-\d{5,}-open\.mp4|thumbnail\.jpg|thumbnail-open\.jpg)")
"""Names of the files that previews write: nothing else in such a folder is ever removed."""
MARKER = ".fervid-previews"
"""Only a folder that holds this file, which is written when the folder is made, belongs to the cache."""
# Decision REV-4.
CLIP_SECONDS = 6.0
CLIP_HEIGHT_PX, THUMBNAIL_WIDTH_PX = 360, 192
CACHE_BYTES = 2_000_000_000
AROUND_SECONDS = 1.0
"""Stored faces within this time before and after a clip are covered in it."""
STILL_SECONDS = 2.0
"""A thumbnail uses the first decodable frame within this time after the requested moment."""
JPEG_QUALITY = 80


class Previews:
    """The previews of the runs below `roots`. Not thread-safe."""

    def __init__(self, roots: tuple[Path, ...], *, blur: Blur = "all", cache_bytes: int = CACHE_BYTES) -> None:
        self._roots, self._blur, self._cache_bytes = roots, blur, cache_bytes
        self._search: FaceSearch | None = None
        self.is_stopped = False

    def stop(self) -> None:
        """Cancel a preview in another thread at its next frame."""
        self.is_stopped = True

    def clip(self, run: Run, number: int) -> Path:
        """The clip of CLIP_SECONDS that begins at `number` times as many. Raises InputError or OutputError."""
        duration = float(run.manifest.video["duration_seconds"])
        start = number * CLIP_SECONDS
        if number < 0 or start >= max(duration, 1e-6):
            raise InputError(f"the video has no clip {number}.")
        # The last clip includes frames after the container's stated duration.
        end = start + CLIP_SECONDS if start + CLIP_SECONDS < duration else duration + CLIP_SECONDS
        target = self._place(run, f"clip-{number:05d}", ".mp4")
        if self._is_kept(target):
            return target
        self._make_room(run, target, f"preview from {start:g} s")
        write_clip(
            target,
            self._frames(run, start, end, height_px=CLIP_HEIGHT_PX),
            start_seconds=start,
            end_seconds=end,
            sound_from=VideoSource.of(run.manifest),
            is_private=self._blur == "none",
        )
        note_derived(run.folder, [target])
        return target

    def thumbnail(self, run: Run) -> Path:
        """A small JPEG of a moment worth showing. Raises InputError or OutputError."""
        target = self._place(run, "thumbnail", ".jpg")
        if self._is_kept(target):
            return target
        seconds = _moment_to_show(run)
        self._make_room(run, target, "thumbnail")
        size = float(run.manifest.video["width_px"]) / float(run.manifest.video["height_px"])
        frames = self._frames(run, seconds, seconds + STILL_SECONDS, height_px=round(2 * THUMBNAIL_WIDTH_PX / size))
        rgb = next((frame.rgb for frame in frames), None)
        if rgb is None:
            raise InputError(f"no frame of {Path(run.manifest.video_path).name} could be decoded at {seconds:.1f} s.")
        height = max(1, round(rgb.shape[0] * THUMBNAIL_WIDTH_PX / rgb.shape[1]))
        small = cv2.resize(rgb, (THUMBNAIL_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), quality)
        try:
            publish_derived(run.folder, {f"{FOLDER}/{target.name}": data.tobytes()}, is_private=self._blur == "none")
        except OSError as problem:
            raise OutputError(f"{target} cannot be written ({problem.strerror}). Check its folder.") from None
        return target

    def _place(self, run: Run, name: str, suffix: str) -> Path:
        return run.folder / FOLDER / f"{name}{'-open' if self._blur == 'none' else ''}{suffix}"

    @staticmethod
    def _is_kept(target: Path) -> bool:
        try:
            os.utime(target)  # used now, so it is removed last
        except OSError:
            return False
        return True

    def _make_room(self, run: Run, target: Path, what: str) -> None:
        check_is_there(Path(run.manifest.video_path))
        if self._blur == "none":
            note_open_faces(run.folder, f"{what} with open faces", blur="none")
        _prepare(target.parent)
        kept = []
        for root in self._roots:
            for path in _own_files(root):
                with suppress(OSError):
                    kept.append((path.stat().st_mtime, path.stat().st_size, path))
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= self._cache_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _frames(self, run: Run, start: float, end: float, *, height_px: int) -> Iterator[RgbFrame]:
        """Shrunk frames with square pixels, faces covered. Each waits until what may lie ahead of it is searched."""
        covers, search, last_factors = FaceCovers(), None, (1.0, 1.0)
        waiting: deque[RgbFrame] = deque()
        ahead = max(HELD_SECONDS, SEARCH_EVERY_SECONDS)
        for frame in read_rgb_frames(VideoSource.of(run.manifest), start, end):
            if self.is_stopped:
                raise OutputError("the preview was cancelled: the server is stopping.")
            shrunk, factors = _shrink(frame, height_px)
            if self._blur == "none":
                yield shrunk
                continue
            if search is None or factors != last_factors:
                for left in waiting:
                    yield _covered(left, covers)
                waiting.clear()
                self._search, last_factors = self._search or FaceSearch(), factors
                covers = FaceCovers(_stored_tracks(run, start, end, factors))
                search = CoverSearch(covers, self._search)
            search.see(shrunk.seconds, shrunk.rgb)
            waiting.append(shrunk)
            while shrunk.seconds - waiting[0].seconds > ahead:
                yield _covered(waiting.popleft(), covers)
        for left in waiting:
            yield _covered(left, covers)


def _prepare(folder: Path) -> None:
    """Make the folder of previews with its marker. Raises OutputError for a folder that is not the cache's own."""
    try:
        if folder.is_symlink():
            raise OutputError(f"{folder} is a link. Previews are kept in the run's own folder: remove the link.")
        folder.mkdir(exist_ok=True)
        if not (folder / MARKER).is_file():
            foreign = next((path for path in folder.iterdir() if not OWN_FILES.fullmatch(path.name)), None)
            if foreign is not None:
                raise OutputError(f"{folder} has files that are not previews ({foreign.name}). Move them elsewhere.")
            (folder / MARKER).touch()
    except OSError as problem:
        raise OutputError(f"{folder} cannot be written ({problem.strerror}). Check its folder.") from None


def _own_files(root: Path) -> Iterator[Path]:
    """The previews below a folder, links not followed: regular files of the cache's own names beside its marker."""
    for folder, _, names in os.walk(root):
        if Path(folder).name == FOLDER and MARKER in names:
            for name in filter(OWN_FILES.fullmatch, names):
                path = Path(folder) / name
                if not path.is_symlink():
                    yield path


def _moment_to_show(run: Run) -> float:
    """The best moment for a thumbnail: the peak of the first alert, else the middle of what has a usable face."""
    from fervid.review.content import read_records

    records = read_records(run)
    if records:
        return max(records, key=lambda record: (record.tier == "alert", record.peak_score)).peak_s
    table = run.timeline
    covered = np.flatnonzero(np.nan_to_num(table["coverage"].to_numpy().astype(float)) > 0)
    duration = float(run.manifest.video["duration_seconds"])
    if not len(covered):
        return duration / 2
    middle = int(covered[len(covered) // 2])
    return min(duration, float(table["start_s"][middle].as_py() + table["end_s"][middle].as_py()) / 2)


def _covered(frame: RgbFrame, covers: FaceCovers) -> RgbFrame:
    return RgbFrame(frame.seconds, cover(frame.rgb, covers.at(frame.seconds)), frame.pixel_aspect)


def _shrink(frame: RgbFrame, height_px: int) -> tuple[RgbFrame, tuple[float, float]]:
    """A frame downscaled to at most `height_px` with square pixels, and its scale factors (x, y)."""
    height, width = frame.rgb.shape[:2]
    shrink = min(1.0, height_px / height)
    size = (max(2, round(width * float(frame.pixel_aspect) * shrink)), max(2, round(height * shrink)))
    rgb = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
    return RgbFrame(frame.seconds, np.asarray(rgb), Fraction(1)), (size[0] / width, size[1] / height)


def _stored_tracks(
    run: Run, start: float, end: float, scale: tuple[float, float]
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    columns = ["time_s", "track_id", "x", "y", "w", "h"]
    rows = read_faces_between(run, start - AROUND_SECONDS, end + AROUND_SECONDS, columns)
    x, y, w, h = (rows[name].to_numpy().astype(np.float64) for name in ("x", "y", "w", "h"))
    boxes = np.stack([x, y, x + w, y + h], axis=1) * [scale[0], scale[1], scale[0], scale[1]]
    ids, times = rows["track_id"].to_numpy(), rows["time_s"].to_numpy()
    return {track: (times[ids == track], boxes[ids == track]) for track in np.unique(ids).tolist()}
