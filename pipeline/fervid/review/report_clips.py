"""Clips of alerts for a page that is handed on: small, with covered faces, within the page or beside it."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fervid.errors import InputError, OutputError, VideoUnreadable
from fervid.review.content import read_records
from fervid.run.elsewhere import Elsewhere
from fervid.run.handle import Run
from fervid.storage.publish import write_whole
from fervid.video.writer import check_is_analysed

AROUND_SECONDS = 3.0
"""Before and after an alert."""
LONGEST_SECONDS = 30.0
"""Of a clip: one of a longer alert is around its peak."""
MOST_CLIPS = 20
"""Of a run: those of the strongest alerts."""
HEIGHT_PX = 360
LARGEST_WITHIN_BYTES = 32_000_000
"""Of all clips that are within a page; more of them are files beside it."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a run's video in seconds, as an MP4."""

    start: float
    end: float
    content: bytes

    @property
    def name(self) -> str:
        """Its file, which says nothing of the run."""
        return f"{hashlib.blake2b(self.content, digest_size=8).hexdigest()}.mp4"


def cut_clips(run: Run, apart: Elsewhere, scratch: Path) -> list[Clip]:
    """Clips of the strongest alerts of a run, in order of time, each decoded in a worker process.

    Of a run without alerts, of its peak of anger-like expressions. Raises InputError or OutputError for a video that
    has gone or cannot be decoded.
    """
    made = []
    video = Path(run.manifest.video_path)
    check_is_analysed(video, run.manifest.video_id, recorded_bytes=run.manifest.video_bytes)
    for number, (start, end) in enumerate(stretches_of(run)):
        target = scratch / f"{number}.mp4"
        apart.run("cut", "clip", run, target, start, end, "all", HEIGHT_PX, video=video)
        made.append(Clip(start, end, target.read_bytes()))
        target.unlink()
    return made


def stretches_of(run: Run) -> list[tuple[float, float]]:
    """What is cut out of a run's video, in seconds: overlapping stretches are one while they are short enough."""
    duration = float(run.manifest.video["duration_seconds"])
    records = sorted(read_records(run) or [], key=lambda one: (one.tier != "alert", -one.peak_score))[:MOST_CLIPS]
    spans = [(one.start_s, one.end_s, one.peak_s) for one in records]
    if not spans and (peak := run.manifest.results.get("peak_anger")):
        spans = [(peak["time_s"], peak["time_s"], peak["time_s"])]
    found: list[tuple[float, float]] = []
    for start, end, peak_s in sorted(spans):
        first, last = max(0.0, start - AROUND_SECONDS), min(duration, end + AROUND_SECONDS)
        if last - first > LONGEST_SECONDS:
            first = min(max(first, peak_s - LONGEST_SECONDS / 2), last - LONGEST_SECONDS)
            last = first + LONGEST_SECONDS
        if found and first <= found[-1][1] and last - found[-1][0] <= LONGEST_SECONDS:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((max(first, found[-1][1]) if found else first, last))
    return [(first, last) for first, last in found if last > first]


class ClipFolder:
    """Clips of the runs of one page, and where each one is: within the page, or in a folder beside it."""

    def __init__(self, folder: Path, clips: dict[Path, list[Clip]]) -> None:
        """`clips` by the folder of their run; the page lies in `folder`."""
        self._folder, self._clips = folder, clips
        total = sum(len(clip.content) for each in clips.values() for clip in each)
        self.is_within = total <= LARGEST_WITHIN_BYTES

    def of(self, run: Run) -> dict[Path, list[Clip]]:
        """The clips of one run, by its folder."""
        return {run.folder: self._clips.get(run.folder, [])}

    def media(self, run: Run) -> list[dict[str, Any]]:
        """What the page is told of the clips of a run."""
        key = "element" if self.is_within else "url"
        return [
            {"start": clip.start, "end": clip.end, key: f"clip-{clip.name}" if self.is_within else f"clips/{clip.name}"}
            for clip in self._clips.get(run.folder, [])
        ]

    def elements(self) -> dict[str, str]:
        """Base64 of the clips that are within the page, by the ids of their elements."""
        if not self.is_within:
            return {}
        every = [clip for each in self._clips.values() for clip in each]
        return {f"clip-{clip.name}": base64.b64encode(clip.content).decode("ascii") for clip in every}

    def write(self) -> Sequence[Path]:
        """Write the clips that are beside the page. Raises OutputError."""
        if self.is_within:
            return []
        written = []
        for clip in (clip for each in self._clips.values() for clip in each):
            path = self._folder / "clips" / clip.name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, clip.content)
            except OSError as problem:
                raise OutputError(f"{path} cannot be written ({problem.strerror}). Give --out.") from None
            written.append(path)
        return written


def clips_of_runs(runs: Sequence[Run], apart: Elsewhere, scratch: Path) -> tuple[dict[Path, list[Clip]], list[str]]:
    """The clips of runs by their folders, and what could not be cut, in words."""
    clips, missing = {}, []
    for run in runs:
        try:
            with tempfile.TemporaryDirectory(dir=scratch) as place:
                clips[run.folder] = cut_clips(run, apart, Path(place))
        except (InputError, OutputError, VideoUnreadable) as problem:
            missing.append(f"{run.folder.name}: no clips: {problem}")
    return clips, missing
