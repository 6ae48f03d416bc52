"""Measure a profile from the tables of a run: frames, faces, manifest. Decodes nothing, draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fervid.base.spacing import mean_spacing
from fervid.interpret.build import FrameIntervals, FrameTiming, frame_intervals
from fervid.profile.integrate import divide, integrate, mean_curve
from fervid.profile.profile import (
    N_BINS,
    NEUTRAL,
    Arc,
    CoOccurrence,
    Coverage,
    Expressions,
    Faces,
    Peak,
    Picture,
    Profile,
    Shots,
    Source,
    Transitions,
)
from fervid.run.manifest import manifest_content
from fervid.run.schema import answers_of
from fervid.run.tables import open_table
from fervid.run.usable import usable_faces

DARK_BELOW = 0.2
"""A frame below this mean level is dark: black bars and night scenes are below it, lit rooms above."""
MAX_PEAKS, MAX_PEAKS_A_LABEL = 6, 2
LEAST_PEAK = 0.4
"""Least smoothed probability for the strongest moment of a label to be shown."""
PEAKS_APART_SECONDS = 1.0
FEW_FACES_SHARE = 0.1
SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """The analysed frames (F) and usable faces (m) of a run."""

    labels: tuple[str, ...]
    span: tuple[float, float]
    times: np.ndarray
    intervals: FrameIntervals
    is_cut: np.ndarray
    brightness: np.ndarray
    motion: np.ndarray
    speed: np.ndarray
    looked_for_cuts: bool
    row: np.ndarray
    """The frame of each face."""
    frame: np.ndarray
    track: np.ndarray
    scores: np.ndarray
    best: np.ndarray
    is_sure: np.ndarray
    quality: np.ndarray
    boxes: np.ndarray
    height_px: int

    @property
    def n_frames(self) -> int:
        return len(self.times)


def profile_run(folder: Path) -> Profile:
    """The profile of a finished run. Raises InputError when the folder is not a complete run."""
    manifest = manifest_content(folder)
    own = folder, manifest["settings_hash"]
    frames = _read(open_table(*own, "frames"), ("time_s", "is_cut", "brightness", "motion", "speed", "status", "frame"))
    scores = answers_of(manifest["model"])
    boxes = ("frame", "time_s", "track_id", "x", "y", "w", "h")
    faces = _read(open_table(*own, "faces"), (*boxes, "quality", "abstain", *scores))
    return measure_profile(frames, faces, manifest)


def measure_profile(frames: pa.Table, faces: pa.Table, manifest: dict[str, Any]) -> Profile:
    """A profile from the tables `frames` and `faces` and the content of the manifest of one run."""
    seen = _see(frames, faces, manifest)
    seconds, on_face = seen.intervals.seconds, seen.intervals.seconds[seen.row]
    n_usable = np.bincount(seen.row, minlength=seen.n_frames)
    observed, covered, face_s = float(seconds.sum()), float(seconds[n_usable > 0].sum()), float(on_face.sum())
    coverage = Coverage(
        span_s=seen.span[1] - seen.span[0],
        observed_s=observed,
        observed_share=_share(observed, seen.span[1] - seen.span[0]),
        covered_s=covered,
        face_share=_share(covered, observed),
        face_s=face_s,
        sure_share=_share(float(on_face[seen.is_sure].sum()), face_s) if face_s > 0 else None,
        n_tracks=len(np.unique(seen.track)),
    )
    arc = _arc(seen, n_usable)
    return Profile(
        source=_source(manifest, seen),
        labels=seen.labels,
        coverage=coverage,
        expressions=_expressions(seen, coverage),
        arc=arc,
        transitions=_transitions(seen, face_s),
        co_occurrence=_co_occurrence(seen, n_usable, observed),
        peaks=_peaks(seen),
        faces=_faces(seen, n_usable, coverage),
        shots=_shots(seen, coverage) if seen.looked_for_cuts else None,
        picture=_picture(arc, observed),
        notes=_notes(seen, coverage, manifest),
    )


def _read(file: Any, names: tuple[str, ...]) -> pa.Table:
    """Some columns of a table; those that an older fervid did not write are skipped."""
    there = set(file.schema_arrow.names)
    return file.read(columns=[name for name in names if name in there], use_threads=False)


def _see(frames: pa.Table, faces: pa.Table, manifest: dict[str, Any]) -> _Seen:
    settings, video = manifest["settings"], manifest["video"]
    labels = tuple(manifest["model"]["labels"])
    start = settings["video"]["start_seconds"]
    end = min(video["duration_seconds"], settings["video"]["end_seconds"] or np.inf)
    span = (min(start, end), end)
    times = frames["time_s"].to_numpy()
    hold = settings["timeline"]["max_hold_seconds"]
    intervals = frame_intervals(
        times, start=span[0], end=span[1], max_hold_seconds=hold, timing=FrameTiming.of(video, settings["video"])
    )
    is_sound = _words(frames["status"]) != "corrupt"
    nothing = np.full(len(times), np.nan)
    brightness, motion, speed = (
        frames[name].to_numpy().astype(float) if name in frames.column_names else nothing
        for name in ("brightness", "motion", "speed")
    )

    reasons = _words(faces["abstain"])
    row = (np.cumsum(is_sound) - 1)[np.searchsorted(frames["frame"].to_numpy(), faces["frame"].to_numpy())]
    usable = usable_faces(faces["abstain"])
    scores = np.stack([faces[name].to_numpy() for name in answers_of(manifest["model"])], axis=1).astype(float)[usable]
    return _Seen(
        labels=labels,
        span=span,
        times=times[is_sound],
        intervals=FrameIntervals(intervals.begin[is_sound], intervals.end[is_sound]),
        is_cut=frames["is_cut"].to_numpy(zero_copy_only=False)[is_sound],
        brightness=brightness[is_sound],
        motion=motion[is_sound],
        speed=speed[is_sound],
        looked_for_cuts=settings["track"].get("find_cuts", True),
        row=row[usable],
        frame=faces["frame"].to_numpy()[usable],
        track=faces["track_id"].to_numpy()[usable],
        scores=scores,
        best=scores.argmax(axis=1) if len(scores) else np.zeros(0, int),
        is_sure=reasons[usable] == "",
        quality=faces["quality"].to_numpy()[usable],
        boxes=np.stack([faces[name].to_numpy() for name in "xywh"], axis=1)[usable],
        height_px=video["height_px"],
    )


def _words(column: pa.ChunkedArray) -> np.ndarray:
    """Words of a dictionary column as an array; null becomes an empty string."""
    whole = column.combine_chunks()
    words = np.array(["" if word is None else word for word in whole.dictionary.to_pylist()] + [""], dtype=object)
    codes = whole.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(words[codes.astype(int)], dtype=object)


def _source(manifest: dict[str, Any], seen: _Seen) -> Source:
    spacing = mean_spacing(seen.times)
    return Source(
        video_id=manifest["video_id"],
        name=Path(manifest["video_path"]).name,
        settings_hash=manifest["settings_hash"],
        model=manifest["model"]["name"],
        model_sha256=manifest["model"]["weights_sha256"],
        analysed_fps=1 / spacing if spacing else 0.0,
    )


def _expressions(seen: _Seen, coverage: Coverage) -> Expressions:
    seconds = seen.intervals.seconds[seen.row]
    share = np.bincount(seen.best, seconds, len(seen.labels)) if len(seconds) else np.zeros(len(seen.labels))
    mean = (seen.scores * seconds[:, None]).sum(axis=0)
    means = {label: _ratio(float(value), coverage.face_s) for label, value in zip(seen.labels, mean, strict=True)}
    neutral = means.get(NEUTRAL)
    return Expressions(
        face_s=coverage.face_s,
        coverage=coverage.face_share,
        share={label: _ratio(float(value), coverage.face_s) for label, value in zip(seen.labels, share, strict=True)},
        mean=means,
        intensity=None if neutral is None else 1 - neutral,
    )


def _arc(seen: _Seen, n_usable: np.ndarray) -> Arc:
    n_labels = len(seen.labels)
    edges = np.linspace(*seen.span, N_BINS + 1)
    per_frame = {"score": np.zeros((seen.n_frames, n_labels)), "label": np.zeros((seen.n_frames, n_labels))}
    np.add.at(per_frame["score"], seen.row, seen.scores)
    np.add.at(per_frame["label"], (seen.row, seen.best), 1.0)
    has_image, has_motion = ~np.isnan(seen.brightness), ~np.isnan(seen.motion)
    kinds = (per_frame["label"] > 0).sum(axis=1)
    scalars = np.stack(
        [
            np.ones(seen.n_frames),
            n_usable > 0,
            n_usable,
            has_image,
            np.nan_to_num(seen.brightness),
            has_image & (seen.brightness < DARK_BELOW),
            has_motion,
            np.nan_to_num(seen.motion),
            kinds > 1,
        ],
        axis=1,
    ).astype(float)
    sums = integrate(edges, seen.intervals, np.concatenate([scalars, per_frame["score"], per_frame["label"]], axis=1))
    observed, covered, face_s, image_s, brightness, dark, motion_s, motion, mixed = sums[:, : scalars.shape[1]].T
    score_s, label_s = np.split(sums[:, scalars.shape[1] :], 2, axis=1)
    mean = divide(score_s, face_s[:, None])
    neutral = mean[:, seen.labels.index(NEUTRAL)] if NEUTRAL in seen.labels else np.full(N_BINS, np.nan)
    cuts = np.histogram(seen.intervals.begin[seen.is_cut], edges)[0].astype(float)
    return Arc(
        start_s=edges[:-1],
        end_s=edges[1:],
        observed_s=observed,
        coverage=divide(np.minimum(covered, observed), observed),
        face_s=face_s,
        mean=mean,
        share=divide(label_s, face_s[:, None]),
        intensity=1 - neutral,
        cuts=cuts if seen.looked_for_cuts else np.full(N_BINS, np.nan),
        brightness=divide(brightness, image_s),
        dark_share=divide(dark, image_s),
        motion=divide(motion, motion_s),
        motion_s=motion_s,
        transitions=np.histogram(_changes(seen)[0], edges)[0].astype(float),
        mixed_s=mixed,
        action=mean_curve(edges, seen.intervals, seen.speed),
    )


def _changes(seen: _Seen) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Changes of the largest label along tracks, without unsure faces: time, from label, to label."""
    sure = np.flatnonzero(seen.is_sure)
    order = sure[np.lexsort((seen.times[seen.row[sure]], seen.track[sure]))]
    before, after = order[:-1], order[1:]
    changed = (seen.track[before] == seen.track[after]) & (seen.best[before] != seen.best[after])
    before, after = before[changed], after[changed]
    return seen.times[seen.row[after]], seen.best[before], seen.best[after]


def _transitions(seen: _Seen, face_s: float) -> Transitions:
    _, source, target = _changes(seen)
    counts = np.zeros((len(seen.labels), len(seen.labels)), int)
    np.add.at(counts, (source, target), 1)
    rate = _ratio(float(counts.sum()) * SECONDS_PER_MINUTE, face_s)
    return Transitions(face_s=face_s, counts=counts.tolist(), per_face_minute=rate)


def _co_occurrence(seen: _Seen, n_usable: np.ndarray, observed: float) -> CoOccurrence:
    several = n_usable > 1
    counts = np.zeros((seen.n_frames, len(seen.labels)))
    np.add.at(counts, (seen.row, seen.best), 1.0)
    counts, seconds = counts[several], seen.intervals.seconds[several]
    there = (counts > 0).astype(float)
    pairs = there.T @ (there * seconds[:, None])
    np.fill_diagonal(pairs, ((counts > 1) * seconds[:, None]).sum(axis=0))
    total = float(seconds.sum())
    return CoOccurrence(seconds=total, coverage=_share(total, observed), pair_s=pairs.tolist())


def _peaks(seen: _Seen) -> tuple[Peak, ...]:
    """The strongest moments except neutral, at least a second apart, in order of time."""
    wanted = [i for i, label in enumerate(seen.labels) if label != NEUTRAL]
    values = np.where(seen.is_sure[:, None], seen.scores, 0.0)[:, wanted]
    order = np.argsort(-values, axis=None, kind="stable")
    chosen: list[Peak] = []
    for position in order[: int((values >= LEAST_PEAK).sum())]:
        face, column = np.unravel_index(position, values.shape)
        label, seconds = seen.labels[wanted[column]], float(seen.times[seen.row[face]])
        is_near = any(abs(peak.time_s - seconds) < PEAKS_APART_SECONDS for peak in chosen)
        if is_near or sum(peak.label == label for peak in chosen) >= MAX_PEAKS_A_LABEL:
            continue
        x, y, w, h = (float(side) for side in seen.boxes[face])
        value, quality = float(values[face, column]), float(seen.quality[face])
        chosen.append(Peak(seconds, int(seen.frame[face]), label, value, int(seen.track[face]), quality, (x, y, w, h)))
        if len(chosen) == MAX_PEAKS:
            break
    return tuple(sorted(chosen, key=lambda peak: peak.time_s))


def _faces(seen: _Seen, n_usable: np.ndarray, coverage: Coverage) -> Faces:
    seconds = seen.intervals.seconds[seen.row]
    shot = np.cumsum(seen.is_cut)
    per_shot = np.unique(np.stack([shot[seen.row], seen.track]), axis=1)
    n_shots = int(shot[-1]) + 1 if len(shot) else 0
    heights = float((seen.boxes[:, 3] * seconds).sum()) / seen.height_px
    return Faces(
        coverage=coverage.face_share,
        mean_faces=_ratio(coverage.face_s, coverage.observed_s),
        height_share=_ratio(heights, coverage.face_s),
        faces_per_shot=_ratio(float(per_shot.shape[1]), n_shots) if seen.looked_for_cuts else None,
        shots_with_faces=len(np.unique(per_shot[0])) if seen.looked_for_cuts else None,
        longest_without_s=_longest(n_usable == 0, seen.intervals.seconds),
    )


def _longest(is_in: np.ndarray, seconds: np.ndarray) -> float:
    """The longest sum of `seconds` over consecutive selected entries."""
    total = np.concatenate([[0.0], np.cumsum(np.where(is_in, seconds, 0.0))])
    start = np.maximum.accumulate(np.where(np.concatenate([[True], ~is_in]), total, 0.0))
    return float((total - start).max())


def _shots(seen: _Seen, coverage: Coverage) -> Shots:
    edges = np.concatenate([[seen.span[0]], seen.intervals.begin[seen.is_cut], [seen.span[1]]])
    lengths = np.diff(edges)
    rate = _ratio(float(len(lengths) - 1) * SECONDS_PER_MINUTE, coverage.observed_s)
    return Shots(
        coverage=coverage.observed_share,
        n_shots=len(lengths),
        cuts_per_minute=rate,
        mean_s=float(lengths.mean()),
        median_s=float(np.median(lengths)),
        shortest_s=float(lengths.min()),
        longest_s=float(lengths.max()),
    )


def _picture(arc: Arc, observed: float) -> Picture:
    seen = ~np.isnan(arc.brightness)
    weight = arc.observed_s[seen]
    motion_s = float(arc.motion_s.sum())
    return Picture(
        coverage=_share(float(weight.sum()), observed),
        brightness=_ratio(float((arc.brightness[seen] * weight).sum()), float(weight.sum())),
        dark_share=_ratio(float((arc.dark_share[seen] * weight).sum()), float(weight.sum())),
        motion=_ratio(float(np.nansum(arc.motion * arc.motion_s)), motion_s),
        motion_coverage=_share(motion_s, observed),
    )


def _notes(seen: _Seen, coverage: Coverage, manifest: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    if not seen.n_frames:
        notes.append("No frame was analysed, so there are no figures.")
    elif not coverage.covered_s:
        notes.append("No usable face was found (drawn, distant and turned faces are not): no figures of expressions.")
    elif coverage.face_share < FEW_FACES_SHARE:
        notes.append(
            f"A usable face was visible only {coverage.face_share:.0%} of the time: expressions describe that part."
        )
    if manifest["status"] != "complete":
        notes.append("The video is damaged: figures exclude the parts that could not be decoded.")
    if not seen.looked_for_cuts:
        notes.append("Cut detection was off (track.find_cuts=false): there are no figures of shots.")
    if seen.n_frames and np.isnan(seen.brightness).all():
        notes.append("The run has no brightness values: analyse again with this version for figures of the image.")
    return tuple(notes)


def _ratio(value: float, of: float) -> float | None:
    """`value` / `of`, None when dividing by zero."""
    return value / of if of > 0 else None


def _share(part: float, of: float) -> float:
    """`part` of a whole, 0 where there is none; sums over parts may exceed the whole by rounding."""
    return min(1.0, part / of) if of > 0 else 0.0
