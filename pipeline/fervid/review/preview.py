"""Short H.264 clips and stills of a run's video for browsers: made on demand, cached.

They are in the run's folder, so that removing the run removes them, and together stay below a size limit (least
recently used go first). Faces are covered by default; a face that no search finds stays uncovered.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fervid.alerts.review.preview_frames import Blur, make_clip, make_still
from fervid.errors import InputError, OutputError
from fervid.privacy.audit import note_open_faces
from fervid.review.preview_cache import CACHE_BYTES, FOLDER, PreviewCache
from fervid.review.workshop import Workshop
from fervid.run.derived import note_derived, publish_derived
from fervid.run.handle import Run
from fervid.video.writer import check_is_there

# Decision REV-4.
CLIP_SECONDS = 2.0
MILLISECONDS = 1000


class Previews:
    """The previews of the runs below `roots`. Not thread-safe, but several may share one cache.

    With a `workshop` worker processes decode, else this one does.
    """

    def __init__(
        self,
        roots: tuple[Path, ...],
        *,
        blur: Blur = "all",
        cache_bytes: int = CACHE_BYTES,
        cache: PreviewCache | None = None,
        workshop: Workshop | None = None,
    ) -> None:
        self._cache = cache or PreviewCache(roots, cache_bytes)
        self._blur, self._workshop = blur, workshop
        self.is_stopped = False

    def stop(self) -> None:
        """Cancel a preview in another thread."""
        self.is_stopped = True
        if self._workshop is not None:
            self._workshop.stop()

    def close(self) -> None:
        """End the worker, from the thread that uses it."""
        if self._workshop is not None:
            self._workshop.close()

    def clip(self, run: Run, number: int) -> Path:
        """The clip of CLIP_SECONDS that begins at `number` times as many. Raises InputError or OutputError."""
        duration = float(run.manifest.video["duration_seconds"])
        start = number * CLIP_SECONDS
        if number < 0 or start >= max(duration, 1e-6):
            raise InputError(f"the video has no clip {number}.")
        # The last clip includes frames after the container's stated duration.
        end = start + CLIP_SECONDS if start + CLIP_SECONDS < duration else duration + CLIP_SECONDS
        target = self._place(run.folder, f"clip-{number:05d}", ".mp4")
        if self._cache.has(target):
            return target
        self._begin(run, target, f"preview from {start:g} s")
        if self._workshop is None:
            make_clip(run, target, start, end, blur=self._blur, reached=self._check)
        else:
            video = Path(run.manifest.video_path)
            self._workshop(run).run("preview_clip", run, target, start, end, self._blur, video=video)
        note_derived(run.folder, [target])
        self._cache.count(target)
        return target

    def thumbnail(self, run: Run) -> Path:
        """A small JPEG of a moment worth showing. Raises InputError or OutputError."""
        target = self.still_place(run.folder, None)
        return target if self._cache.has(target) else self._still(run, target, moment_to_show(run), "thumbnail")

    def still(self, run: Run, milliseconds: int) -> Path:
        """A small JPEG of a moment. Raises InputError or OutputError."""
        target, seconds = self.still_place(run.folder, milliseconds), milliseconds / MILLISECONDS
        if self._cache.has(target):
            return target
        if not 0 <= seconds <= float(run.manifest.video["duration_seconds"]):
            raise InputError(f"the video has no moment at {seconds:.1f} s.")
        return self._still(run, target, seconds, f"still at {seconds:g} s")

    def still_place(self, folder: Path, milliseconds: int | None) -> Path:
        """Where the still of a moment of a run is, or would be; without a moment its thumbnail."""
        return self._place(folder, "thumbnail" if milliseconds is None else f"still-{milliseconds}", ".jpg")

    def _still(self, run: Run, target: Path, seconds: float, what: str) -> Path:
        self._begin(run, target, what)
        if self._workshop is None:
            data = make_still(run, seconds, blur=self._blur, reached=self._check)
        else:
            video = Path(run.manifest.video_path)
            data = self._workshop(run).run("preview_still", run, seconds, self._blur, video=video)
        try:
            publish_derived(run.folder, {f"{FOLDER}/{target.name}": data}, is_private=self._blur == "none")
        except OSError as problem:
            raise OutputError(f"{target} cannot be written ({problem.strerror}). Check its folder.") from None
        self._cache.count(target)
        return target

    def _place(self, folder: Path, name: str, suffix: str) -> Path:
        return folder / FOLDER / f"{name}{'-open' if self._blur == 'none' else ''}{suffix}"

    def _begin(self, run: Run, target: Path, what: str) -> None:
        check_is_there(Path(run.manifest.video_path))
        if self._blur == "none":
            note_open_faces(run.folder, f"{what} with open faces", blur="none")
        self._cache.make_room(target.parent)

    def _check(self, _seconds: float) -> None:
        if self.is_stopped:
            raise OutputError("the preview was cancelled: the server is stopping.")


def moment_to_show(run: Run) -> float:
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
