"""Everything that the page shows of one run, as small JSON: timeline, cuts, faces by track, alerts, fitness, verdicts.

Boxes are whole pixels and scores steps of 1/250: enough to look at, never to compute from. The tables remain
authoritative.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fervid.alerts.find.fitness import REASONS, intervals_of_frames, judge_fitness
from fervid.alerts.find.records import AlertRecord
from fervid.alerts.find.samples import FrameTimes, read_frame_times
from fervid.alerts.find.scan import video_name
from fervid.base.spacing import mean_spacing
from fervid.charts.palette import label_colours
from fervid.errors import InputError
from fervid.profile.measure import PEAKS_APART_SECONDS
from fervid.review.columns import pack, pack_shares, pack_times
from fervid.review.motion import motion_content
from fervid.review.queue import opinions_of, queue_rows
from fervid.run.files import ALERTS_TABLE
from fervid.run.handle import Run
from fervid.run.moved import is_superseded
from fervid.run.recorded import recorded_time
from fervid.run.schema import answers_of
from fervid.run.tables import open_table, read_table
from fervid.run.usable import is_usable, usable_faces
from fervid.stats.peaks import strongest

VERSION = 2
MOST_FACES = 300_000
"""A run with more faces is thinned to every second, third, ... sampled frame; the page shows a note."""
PEAKS_SHOWN = 5
"""Of each label."""
NO_FACE, NOT_USED, USABLE = 0, 1, 2
"""What a frame shows, as the page colours it."""
PREFIXES = {"readout": "r_", "smoothed": "s_", "raw": "p_", "relative": "b_"}
"""Of the columns of scores, by what the page calls them; `relative` is against the usual expression of the face. The
first that a run has decides its labels, and is what the page holds."""


def run_content(run: Run) -> dict[str, Any]:
    """A run as plain values, ready for JSON. It names the video, never its folder."""
    manifest = run.manifest
    labels = list(manifest.model["labels"])
    video = manifest.video
    frames = read_frame_times(run)
    faces, every = face_columns(run, frames)
    return {
        "version": VERSION,
        "name": video_name(run),
        "folder": run.folder.name,
        "video_id": manifest.video_id,
        "status": manifest.status,
        "is_live": bool(video.get("is_live", False)),
        "warnings": list(manifest.warnings),
        "is_superseded": is_superseded(run.folder),
        "duration_s": float(video["duration_seconds"]),
        "start_time_s": float(manifest.start_time_s),
        "width_px": int(video["width_px"]),
        "height_px": int(video["height_px"]),
        "pixel_aspect": float(Fraction(str(video.get("sample_aspect_ratio") or 1))),
        "codec": f"{video.get('codec', 'unknown')} in {str(video.get('container', 'unknown')).split(',')[0]}",
        "model": manifest.model["name"],
        "analysed_fps": 1 / mean if (mean := mean_spacing(frames.seconds)) else 0.0,
        "recorded": _recorded(run),
        "kinds": kinds_of(run),
        "labels": labels,
        "colours": label_colours(labels),
        "reasons": REASONS,
        "usable_reasons": [reason for reason in REASONS if is_usable(reason)],
        "peaks": _peaks(run, labels),
        "timeline": _timeline(run, labels),
        "frames": _frames(run, frames),
        "motion": motion_content(run, frames),
        "faces": faces,
        "faces_of_every": every,
        "alerts": read_alerts(run),
        "fitness": judge_fitness(run, frames).to_json(),
    }


def read_alerts(run: Run) -> list[dict[str, Any]] | None:
    """The stored alerts of a run with the verdicts about each; None where no rule was run yet."""
    records = read_records(run)
    if records is None:
        return None
    video = run.manifest.video
    size = float(video["width_px"]), float(video["height_px"])
    return queue_rows(records, opinions_of(records, run.folder), size)


def read_records(run: Run) -> list[AlertRecord] | None:
    """The rows of a run's alerts.parquet; None without one. Raises InputError for a table of another kind."""
    path = run.folder / ALERTS_TABLE
    if not path.is_file():
        return None
    rows = read_table(run.folder, run.manifest.settings_hash, "alerts").to_pylist()
    try:
        return [AlertRecord(**(row | {"track_ids": tuple(row["track_ids"] or ())})) for row in rows]
    except (TypeError, KeyError) as problem:
        raise InputError(f"{path} is not a table of alerts ({problem}). Run `fervid alerts` again.") from None


def _timeline(run: Run, labels: list[str]) -> dict[str, Any]:
    table = run.timeline
    columns = {name: table[name].to_numpy().astype(float) for name in table.column_names if name != "video_id"}
    return {
        "start": pack_times(columns["start_s"]),
        "end": pack_times(columns["end_s"]),
        "coverage": pack_shares(columns["coverage"]),
        "means": [pack_shares(columns[f"mean_{label}"]) for label in labels],
    }


def _frames(run: Run, frames: FrameTimes) -> dict[str, Any]:
    """Times of the analysed frames, what each shows, and where shots begin."""
    shows = np.full(len(frames.seconds), NO_FACE, np.uint8)
    own = run.folder, run.manifest.settings_hash
    table = read_table(*own, "faces", ["frame", "abstain"])
    row = np.searchsorted(frames.numbers, table["frame"].to_numpy())
    shows[row] = NOT_USED
    shows[row[usable_faces(table["abstain"])]] = USABLE
    stands = intervals_of_frames(run, frames)
    every = read_table(*own, "frames", ["time_s", "is_cut"])
    cuts = every["time_s"].to_numpy()[pc.fill_null(every["is_cut"], False).to_numpy(zero_copy_only=False)]
    return {
        "time": pack_times(frames.seconds),
        "begin": pack_times(stands.begin),
        "end": pack_times(stands.end),
        "shows": pack(shows, "u8"),
        "cuts": pack_times(cuts),
    }


def _peaks(run: Run, labels: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The strongest moments of each label among faces without a reason to abstain, largest first."""
    scores = answers_of(run.manifest.model)
    columns = ["time_s", "track_id", "abstain", *scores]
    table = read_table(run.folder, run.manifest.settings_hash, "faces", columns)
    table = table.filter(pc.is_null(table["abstain"]))
    times, tracks = table["time_s"].to_numpy(), table["track_id"].to_numpy()
    found = {}
    for label, column in zip(labels, scores, strict=True):
        values = table[column].to_numpy()
        chosen = strongest(times, values, most=PEAKS_SHOWN, apart_seconds=PEAKS_APART_SECONDS)
        found[label] = [
            {"time_s": float(times[i]), "track_id": int(tracks[i]), "value": float(values[i])} for i in chosen
        ]
    return found


def kinds_of(run: Run) -> list[str]:
    """Which scores of faces the run has: first those that decide labels."""
    there = set(open_table(run.folder, run.manifest.settings_hash, "faces").schema_arrow.names)
    return [kind for kind, prefix in PREFIXES.items() if f"{prefix}{run.manifest.model['labels'][0]}" in there]


def _recorded(run: Run) -> dict[str, Any] | None:
    """When the recording began, as local time and in UTC, each ISO 8601; None where nothing tells."""
    moment = recorded_time(run.manifest.video, video_name(run))
    if moment is None:
        return None
    return {"local": moment.isoformat(timespec="milliseconds"), "utc": run.manifest.video.get("recorded_utc")}


def face_order(frame_rows: np.ndarray, tracks: np.ndarray) -> tuple[np.ndarray, int]:
    """Which of a run's faces (N,) the page holds, by track and time (n,), and of how many frames each one is there."""
    every = max(1, -(-len(tracks) // MOST_FACES))
    keep = frame_rows % every == 0
    order = np.lexsort((frame_rows[keep], tracks[keep]))
    return np.flatnonzero(keep)[order], every


def face_scores(run: Run, kind: str, between: tuple[float, float] | None = None) -> dict[str, Any]:
    """The scores of one of `kinds_of`, a column per label, for the faces of `face_columns` in their order."""
    if kind not in kinds_of(run):
        raise InputError(f"{run.folder.name} has no {kind} scores. It has {', '.join(kinds_of(run))}.")
    names = [f"{PREFIXES[kind]}{label}" for label in run.manifest.model["labels"]]
    table = read_table(run.folder, run.manifest.settings_hash, "faces", ["frame", "track_id", *names], between=between)
    row = np.searchsorted(read_frame_times(run).numbers, table["frame"].to_numpy())
    chosen, _ = face_order(row, table["track_id"].to_numpy())
    return {"kind": kind, "scores": [pack_shares(table[name].to_numpy()[chosen]) for name in names]}


def face_columns(
    run: Run, frames: FrameTimes, between: tuple[float, float] | None = None
) -> tuple[dict[str, Any], int]:
    """The faces in order of track and time, and of how many frames each one is on the page.

    `between` gives those of a stretch in seconds: a run that is thinned as a whole is finer there.
    """
    scores = answers_of(run.manifest.model)
    columns = ["frame", "track_id", "x", "y", "w", "h", "quality", *scores, "abstain"]
    table = read_table(run.folder, run.manifest.settings_hash, "faces", columns, between=between)
    row = np.searchsorted(frames.numbers, table["frame"].to_numpy())
    chosen, every = face_order(row, table["track_id"].to_numpy())
    table, row = table.take(chosen), row[chosen]
    codes = {reason: i for i, reason in enumerate(REASONS, 1)}
    words = table["abstain"].cast(pa.string()).to_pylist()
    return {
        "frame": pack(row, "u32"),
        "track": pack(table["track_id"].to_numpy(), "u32"),
        **{side: pack(np.round(table[side].to_numpy()), "u16") for side in "xywh"},
        "quality": pack_shares(table["quality"].to_numpy()),
        "scores": [pack_shares(table[name].to_numpy()) for name in scores],
        "abstain": pack(np.array([codes.get(word, 0) if word else 0 for word in words], np.uint8), "u8"),
    }, every
