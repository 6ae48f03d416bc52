"""Writes an annotated copy of a run's video: boxes, labels, probabilities, and the timeline below.

Timestamps and sound stay those of the video. Faces are covered by default. Knows nothing of rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fervid.alerts.find.stored_motion import StoredMotion, has_motion
from fervid.annotate.marks import StoredFaces
from fervid.base.opencv import cv2
from fervid.errors import InputError, WrittenShort
from fervid.overlay.faces import FaceDrawer, text_size
from fervid.overlay.motion import draw_heat
from fervid.overlay.strip import Bins, TimelineStrip
from fervid.privacy.audit import note_open_faces
from fervid.privacy.covers import FaceCovers
from fervid.privacy.reading import AROUND_SECONDS, covered_frames
from fervid.run.derived import note_derived
from fervid.run.elsewhere import Elsewhere
from fervid.run.files import ALERTS_TABLE, ANNOTATED
from fervid.run.handle import Run
from fervid.run.shown import Shown
from fervid.run.tables import read_table
from fervid.run.writing import writing
from fervid.video.bar import Reached, with_bar
from fervid.video.stretch import VideoSource
from fervid.video.writer import Picture, RgbFrame, check_is_analysed, letterbox, read_pictures, write_clip

Blur = Literal["all", "none"]

LEAST_HEIGHT_PX = 480
"""Smaller frames are enlarged by a whole number, so that text is readable."""
LARGEST_WIDTH_PX = 3840
"""Upper limit of enlarging: a frame 16 px high would take gigabytes and exceed every encoder."""


def annotate_run(
    run: Run,
    *,
    blur: Blur = "all",
    bars: bool = True,
    strip: bool = True,
    motion: bool = False,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    target: Path | None = None,
    progress: bool = False,
    apart: Elsewhere | None = None,
) -> Path:
    """Write `annotated.mp4` into the run folder (or to `target`) and return its path.

    `blur` "all" covers every face that the run or a search of its own finds, "none" is noted in the run's audit log
    first. `bars` are the probabilities beside each face, `strip` is the timeline below the frame, `motion` shades where
    the image moves. With `apart` a worker process decodes and draws.
    Raises VideoUnreadable when the video is missing or another one, InputError for an empty part or for motion that the
    run did not measure, OutputError when nothing can be written.
    """
    video, duration = Path(run.manifest.video_path), float(run.manifest.video["duration_seconds"])
    check_is_analysed(video, run.manifest.video_id, recorded_bytes=run.manifest.video_bytes)
    end = min(duration, end_seconds if end_seconds is not None else duration)
    if start_seconds >= end:
        raise InputError(
            f"{video.name} lasts {duration:.2f} s, so there is nothing from {start_seconds:g} to {end:g} s. "
            "Give another --start or --end."
        )
    if motion and not has_motion(run):
        name = run.folder.name
        raise InputError(f"{name} did not measure motion. Omit --motion, or analyse again with --preset cctv.")
    target = target or run.folder / ANNOTATED
    is_within = target.resolve().is_relative_to(run.folder.resolve())
    with writing(run.folder, run.manifest.settings_hash) if is_within else nullcontext():
        options = {"blur": blur, "bars": bars, "strip": strip, "motion": motion, "progress": progress}
        if apart is None:
            annotate_span(run, target, (start_seconds, end), options)
        else:
            apart.run("annotate", run, target, (start_seconds, end), options, video=video)
    return target


def annotate_span(
    run: Run, target: Path, span: tuple[float, float], options: Mapping[str, Any], *, reached: Reached | None = None
) -> None:
    """Draw a stretch of a run's video into `target`: `options` are those of `annotate_run`."""
    blur, progress = options["blur"], options["progress"]
    duration = float(run.manifest.video["duration_seconds"])
    start_seconds, end = span
    if blur == "none":
        note_open_faces(run.folder, "annotated video with open faces", blur=blur, start_s=start_seconds, end_s=end)
    faces, source = StoredFaces(run), VideoSource.of(run.manifest)
    # The last frame is before the end of the video; a clip to the very end must not lose it to rounding.
    until = end if end < duration else duration + AROUND_SECONDS
    shown = Shown(run, start_seconds, until)

    def read(first: float, last: float) -> Iterator[Picture]:
        decoded = ((picture.seconds, picture) for picture in read_pictures(source, first, last))
        return with_bar(decoded, "drawing", start_seconds, end, is_shown=progress, reached=reached)

    if blur == "all":
        frames = covered_frames(read, FaceCovers(faces.tracks), start_seconds, until)
    else:
        frames = (picture.rgb() for picture in read(start_seconds, until))
    write_clip(
        target,
        _noted(_drawn(run, frames, faces, span, options), shown),
        start_seconds=start_seconds,
        end_seconds=until,
        sound_from=source,
        is_private=blur == "none",
    )
    note_derived(run.folder, [target])
    if shortfall := shown.shortfall(str(target)):
        raise WrittenShort(shortfall)


def _noted(frames: Iterator[RgbFrame], shown: Shown) -> Iterator[RgbFrame]:
    for frame in frames:
        shown.seconds.append(frame.seconds)
        yield frame


def _drawn(
    run: Run,
    frames: Iterator[RgbFrame],
    faces: StoredFaces,
    span: tuple[float, float],
    options: Mapping[str, Any],
) -> Iterator[RgbFrame]:
    drawer = FaceDrawer(run.manifest.model["labels"], bars=options["bars"])
    heat = StoredMotion(run) if options["motion"] else None
    below: TimelineStrip | None = None
    size: tuple[int, int] | None = None
    for frame in frames:
        rgb = frame.rgb
        if size is None:
            size = _shown_size(rgb, frame.pixel_aspect)
            if options["strip"]:
                below = _timeline_strip(run, span, width_px=size[0], text_px=round(text_size(size[1]) * 0.9))
        fit = min(size[0] / (rgb.shape[1] * float(frame.pixel_aspect)), size[1] / rgb.shape[0])
        within = round(rgb.shape[1] * float(frame.pixel_aspect) * fit), round(rgb.shape[0] * fit)
        within = max(1, min(within[0], size[0])), max(1, min(within[1], size[1]))
        if abs(within[0] - size[0]) <= 2 and abs(within[1] - size[1]) <= 2:
            within = size  # sides are rounded to even numbers
        scale = within[0] / rgb.shape[1], within[1] / rgb.shape[0]
        enlarged = cv2.resize(rgb, within, interpolation=cv2.INTER_LINEAR) if scale != (1.0, 1.0) else rgb.copy()
        shown = np.asarray(enlarged, np.uint8)
        if heat is not None:
            draw_heat(shown, heat.at(frame.seconds))
        drawer.draw(shown, faces.at(frame.seconds, scale=scale))
        if within != size:
            shown = letterbox(shown, *size)
        if below is not None:
            shown = np.concatenate([shown, below.at(frame.seconds)])
        yield RgbFrame(frame.seconds, shown, Fraction(1))


def _shown_size(rgb: np.ndarray, pixel_aspect: Fraction) -> tuple[int, int]:
    """Width and height with square pixels, even, and large enough for letters."""
    height, width = rgb.shape[0], rgb.shape[1] * float(pixel_aspect)
    times = max(1, min(-(-LEAST_HEIGHT_PX // height), int(LARGEST_WIDTH_PX / width)))
    return max(2, 2 * round(width * times / 2)), max(2, 2 * (height * times // 2))


def _timeline_strip(run: Run, span: tuple[float, float], *, width_px: int, text_px: int) -> TimelineStrip:
    labels = run.manifest.model["labels"]
    table = run.timeline
    edges = np.stack([table["start_s"].to_numpy(), table["end_s"].to_numpy()], axis=1)
    means = np.stack([table[f"mean_{label}"].to_numpy() for label in labels], axis=1)
    return TimelineStrip(
        Bins(edges, means, table["coverage"].to_numpy()),
        labels,
        start_seconds=span[0],
        end_seconds=span[1],
        width_px=width_px,
        text_px=text_px,
        alerts=_alerts(run, span),
    )


def _alerts(run: Run, span: tuple[float, float]) -> list[tuple[float, float]]:
    if not (run.folder / ALERTS_TABLE).is_file():
        return []
    table = read_table(run.folder, run.manifest.settings_hash, "alerts", ["start_s", "end_s", "tier"])
    found = zip(table["start_s"].to_pylist(), table["end_s"].to_pylist(), table["tier"].to_pylist(), strict=True)
    return [(first, last) for first, last, tier in found if tier == "alert" and first < span[1] and last > span[0]]
