"""Evidence for reviewing an alert: a clip, three stills, a plot of the scores, and the rows behind them.

Faces are covered by default, and every export with an open face is written to an audit log.
Knows nothing of the rule language.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from fervid.alerts.find.records import AlertRecord
from fervid.alerts.find.samples import read_faces_between
from fervid.alerts.find.scan import RunAlerts, remove_evidence
from fervid.alerts.find.stored_motion import StoredMotion, has_motion
from fervid.alerts.review.bundle import make_bundle
from fervid.alerts.review.stretch import Blur, Stretch, covers_of, frames_of, save_still
from fervid.alerts.review.strip import draw_strip
from fervid.base.opencv import cv2
from fervid.base.version import __version__
from fervid.errors import OutputError, WrittenShort
from fervid.privacy.audit import note_open_faces
from fervid.privacy.mosaic import CoveredArea
from fervid.privacy.reading import AROUND_SECONDS
from fervid.run.derived import note_hashes, publish_derived
from fervid.run.elsewhere import Elsewhere
from fervid.run.files import BUNDLE, EVIDENCE
from fervid.run.handle import Run
from fervid.run.schema import answers_of
from fervid.run.shown import Shown
from fervid.storage.files import file_sha256
from fervid.storage.place import remove_folder
from fervid.storage.publish import PART, sync
from fervid.video.bar import Reached
from fervid.video.stretch import VideoSource
from fervid.video.writer import RgbFrame, check_is_analysed, write_clip

LONGEST_CLIP_SECONDS = 120.0
"""A clip of a longer alert shows its start."""
OUTLINE_RGB = (213, 94, 0)


@dataclass(frozen=True, slots=True)
class AlertFiles:
    """The evidence of one alert: the folder, and its files by name."""

    record: AlertRecord
    folder: Path
    names: tuple[str, ...]
    shortfall: str = ""
    """What its clip lacks, in words."""


def write_evidence(
    found: RunAlerts,
    *,
    blur: Blur = "all",
    tiers: Sequence[str] = ("alert",),
    progress: bool = False,
    apart: Elsewhere | None = None,
) -> list[AlertFiles]:
    """Write `evidence/` and `evidence.zip` for the alerts of the given tiers into the run folder.

    Evidence of other alerts, or with other faces open, is removed. The caller holds the lock of the run. `progress`
    shows the current alert and its progress on stderr. With `apart` a worker process decodes.

    blur "all" covers every face, "others" all but those that the alert is about, "none" covers nothing; the last two
    are written to the audit log first, and readable for their owner alone. Raises VideoUnreadable when the video has
    gone or is another one, OutputError when nothing can be written, WrittenShort when a clip lacks frames that were
    analysed.
    """
    run = found.run
    records = [record for record in found.records if record.tier in tiers]
    video = Path(run.manifest.video_path)
    if not records:
        remove_evidence(run.folder)
        return []
    check_is_analysed(video, run.manifest.video_id)
    if blur != "all":
        alert_ids = [record.alert_id for record in records]
        note_open_faces(run.folder, "evidence with open faces", blur=blur, alerts=alert_ids)
    for left in run.folder.glob(f".{EVIDENCE}-*{PART}"):
        remove_folder(left)  # leftovers of a killed process: we hold the lock now
    try:
        # `mkdtemp` makes private folders.
        with tempfile.TemporaryDirectory(prefix=f".{EVIDENCE}-", suffix=PART, dir=run.folder) as scratch:
            written, archive = make_evidence(found, records, Path(scratch), blur=blur, progress=progress, apart=apart)
            remove_evidence(run.folder)
            published = [_publish(run, files, is_private=blur != "all") for files in written]
            publish_derived(run.folder, {BUNDLE: archive}, is_private=blur != "all")
    except OSError as problem:
        place = problem.filename or run.folder
        raise OutputError(f"{place} cannot be written ({problem.strerror}). Check its permissions.") from None
    if short := [files.shortfall for files in published if files.shortfall]:
        raise WrittenShort(short[0] if len(short) == 1 else f"{len(short)} clips are incomplete. {short[0]}")
    return published


def make_evidence(
    found: RunAlerts,
    records: Sequence[AlertRecord],
    scratch: Path,
    *,
    blur: Blur,
    apart: Elsewhere | None,
    progress: bool = False,
    reached: Callable[[float], None] | None = None,
) -> tuple[list[AlertFiles], bytes]:
    """The files of alerts, below `scratch`, and all of them as a bundle. `reached` hears the seconds of video."""
    video = Path(found.run.manifest.video_path)
    if apart is None:
        written = write_files(found, records, scratch, blur, progress)
    else:
        written = apart.run("evidence", found, records, scratch, blur, progress, video=video, reached=reached)
    contents = {f"{files.folder.name}/{name}": files.folder / name for files in written for name in files.names}
    archive, _ = make_bundle(contents, _about(found, video, records, blur))
    return written, archive


def _publish(run: Run, files: AlertFiles, *, is_private: bool) -> AlertFiles:
    """Move the files of one alert to their place; each is recorded first, so that there is never an unrecorded one."""
    folder = run.folder / EVIDENCE / files.folder.name
    note_hashes(
        run.folder, {f"{EVIDENCE}/{folder.name}/{name}": file_sha256(files.folder / name) for name in files.names}
    )
    for made in (folder.parent, folder):
        made.mkdir(exist_ok=True, mode=0o700 if is_private else 0o777)
        if is_private:
            made.chmod(0o700)
    for name in files.names:
        if is_private:
            (files.folder / name).chmod(0o600)
        sync(files.folder / name)
        os.replace(files.folder / name, folder / name)
    sync(folder)
    return replace(files, folder=folder)


def write_files(
    found: RunAlerts,
    records: Sequence[AlertRecord],
    scratch: Path,
    blur: Blur,
    progress: bool,
    *,
    reached: Reached | None = None,
) -> list[AlertFiles]:
    """Decode and write the files of alerts into folders below `scratch`, which the caller publishes."""
    reached = reached or Reached()
    rolls = {rule.name: (rule.pre_roll, rule.post_roll) for rule in found.rules.rules}
    source = VideoSource.of(found.run.manifest)
    duration = float(found.run.manifest.video["duration_seconds"])
    written = []
    for number, record in enumerate(records, 1):
        folder = scratch / f"{record.rule}-{int(record.start_s):06d}s-{record.alert_id}"
        folder.mkdir()
        bar = f"evidence {number} of {len(records)}" if progress else ""
        pre_roll, post_roll = rolls[record.rule]
        start = max(0.0, record.start_s - pre_roll)
        end = min(record.end_s + post_roll, start + LONGEST_CLIP_SECONDS, max(duration, record.end_s))
        written.append(_write_one(found.run, record, folder, Stretch(source, start, end, blur, bar, reached)))
    return written


def _write_one(run: Run, record: AlertRecord, folder: Path, clip: Stretch) -> AlertFiles:
    start, end = clip.start, clip.end
    columns = _row_columns(run.manifest.model)
    rows = read_faces_between(run, start - AROUND_SECONDS, end + AROUND_SECONDS, columns)
    covers = covers_of(rows, clip, frozenset(record.track_ids))
    wanted = {"start": record.start_s, "peak": record.peak_s, "end": min(record.end_s, end)}
    stills: dict[str, RgbFrame] = {}
    area = CoveredArea()
    shown = Shown(run, start, end)

    def covered() -> Iterator[RgbFrame]:
        for frame in frames_of(clip, covers, area):
            for name, moment in wanted.items():
                if name not in stills or abs(frame.seconds - moment) < abs(stills[name].seconds - moment):
                    stills[name] = frame
            shown.seconds.append(frame.seconds)
            yield frame

    write_clip(
        folder / "clip.mp4",
        covered(),
        start_seconds=start,
        end_seconds=end,
        sound_from=clip.source,
    )
    names = ["clip.mp4"]
    for name, frame in stills.items():
        file = folder / f"still-{name}.jpg"
        _write_still(file, frame, _box_at(rows, record, frame.seconds))
        names.append(file.name)
    within = rows.filter(pc.and_(pc.greater_equal(rows["time_s"], start), pc.less(rows["time_s"], end)))
    motion = StoredMotion(run) if has_motion(run) else None
    draw_strip(within, record, run.manifest.model, folder / "strip.png", start=start, end=end, motion=motion)
    pa.csv.write_csv(within, folder / "faces.csv")
    about = record.to_json() | {"clip_start_s": start, "clip_end_s": end, "blur": clip.blur}
    about |= {"covered_share": round(area.share, 4)} | shown.about()
    (folder / "alert.json").write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return AlertFiles(
        record, folder, (*names, "strip.png", "faces.csv", "alert.json"), shown.shortfall(f"{folder.name}/clip.mp4")
    )


def _write_still(path: Path, frame: RgbFrame, box: tuple[float, ...] | None) -> None:
    rgb = frame.rgb.copy()
    if box is not None:
        x0, y0, x1, y1 = (round(side) for side in box)
        thickness = max(1, round(min(rgb.shape[:2]) / 200))
        cv2.rectangle(rgb, (x0, y0), (x1, y1), OUTLINE_RGB, thickness)
    save_still(path, RgbFrame(frame.seconds, rgb, frame.pixel_aspect))


def _box_at(rows: pa.Table, record: AlertRecord, seconds: float) -> tuple[float, ...] | None:
    """The box of the alert's own face at the stored moment nearest to `seconds`."""
    own = np.flatnonzero(rows["track_id"].to_numpy() == (-1 if record.track_id is None else record.track_id))
    if not len(own):
        return None
    near = int(own[np.abs(rows["time_s"].to_numpy()[own] - seconds).argmin()])
    x, y, w, h = (float(rows[name][near].as_py()) for name in ("x", "y", "w", "h"))
    return x, y, x + w, y + h


def _row_columns(model: Mapping[str, Any]) -> list[str]:
    boxes = ["frame", "time_s", "track_id", "x", "y", "w", "h", "det_score", "quality"]
    return [*boxes, *answers_of(model), "label", "margin", "abstain"]


def _about(found: RunAlerts, video: Path, records: Sequence[AlertRecord], blur: Blur) -> dict[str, Any]:
    manifest = found.run.manifest
    return {
        "made_by": f"fervid {__version__}",
        "notice": "The labels say how faces look, not what people feel. Every alert needs review.",
        "video": {"name": found.video, "bytes": manifest.video_bytes, "sha256": file_sha256(video)},
        "model": manifest.model,
        "settings_hash": manifest.settings_hash,
        "rules": [rule.model_dump(mode="json", by_alias=True) for rule in found.rules.rules],
        "fitness": found.fitness.to_json(),
        "blur": blur,
        "alerts": [record.alert_id for record in records],
    }
