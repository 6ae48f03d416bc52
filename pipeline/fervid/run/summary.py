"""The key figures of a run, computed from its tables, and their text. Knows nothing of files."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from fervid.run.files import MANIFEST
from fervid.run.usable import usable_faces
from fervid.storage.place import Place

if TYPE_CHECKING:
    import pyarrow as pa

LABEL_OF_ALERTS = "angry"
OBSERVE = "observe"
"""Wall seconds of observing segments, summed over the workers that did: what the stages' own are a share of."""

PEAKS, PEAKS_APART_SECONDS, LEAST_PEAK = 3, 10.0, 0.05
"""So many of the most agitated moments are told, so far apart, and only from so agitated ones."""
STAGES = ("decode", "detect", "crop", "classify")
"""They run in parallel, so the busiest one is the bottleneck."""


def results_in_numbers(timeline: pa.Table, faces: pa.Table, tracks: pa.Table, labels: list[str]) -> dict[str, Any]:
    """Key figures of a run's tables: counts, coverage, the share of each label, the peak of anger-like expressions.

    `coverage` is the share of the observed time with a usable face; `shares` are of the time that faces are seen, empty
    where none was.
    """
    import numpy as np

    from fervid.run.schema import answer_columns

    observed = timeline["observed_s"].to_numpy().astype(float)
    coverage = np.nan_to_num(timeline["coverage"].to_numpy().astype(float))
    face_seconds = np.nan_to_num(timeline["mean_faces"].to_numpy().astype(float)) * observed
    shares = {
        label: float(np.nansum(timeline[f"share_{label}"].to_numpy().astype(float) * face_seconds) / face_seconds.sum())
        for label in labels
        if face_seconds.sum() > 0
    }
    (anger,) = answer_columns([LABEL_OF_ALERTS], has_readout=f"r_{LABEL_OF_ALERTS}" in faces.column_names)
    return {
        "faces": faces.num_rows,
        "tracks": tracks.num_rows,
        "observed_seconds": float(observed.sum()),
        "coverage": float((coverage * observed).sum() / observed.sum()) if observed.sum() else 0.0,
        "shares": shares,
        "dominant": max(shares, key=lambda label: shares[label]) if shares else None,
        "peak_anger": _peak(faces, anger) if LABEL_OF_ALERTS in labels else None,
        **({"motion": _motion(timeline)} if "agitation" in timeline.column_names else {}),
    }


def _motion(timeline: pa.Table) -> dict[str, Any]:
    """The most agitated moments, from the highest, and the shares of the observed time with a value and with a moving
    camera."""
    import numpy as np

    observed = timeline["observed_s"].to_numpy().astype(float)
    agitation, moves = (timeline[name].to_numpy().astype(float) for name in ("agitation", "camera_moves"))
    total = max(float(observed.sum()), 1e-9)
    starts = timeline["start_s"].to_numpy()
    peaks: list[int] = []
    for row in np.argsort(-np.nan_to_num(agitation, nan=-1.0), kind="stable").tolist():
        if len(peaks) == PEAKS or np.isnan(agitation[row]) or agitation[row] < LEAST_PEAK:
            break
        if all(abs(starts[row] - starts[other]) >= PEAKS_APART_SECONDS for other in peaks):
            peaks.append(row)
    return {
        "known_share": float(observed[~np.isnan(agitation)].sum()) / total,
        "moving_camera_share": float(np.nansum(moves * observed)) / total,
        "peaks": [{"time_s": float(starts[row]), "value": float(agitation[row])} for row in peaks],
    }


def summarise(
    manifest: dict[str, Any], folder: Place, *, was_there: bool, others: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The content of a manifest as a summary for people and programs. `others` are files that it does not list."""
    ledger, duration = manifest["ledger"], manifest["video"]["duration_seconds"]
    analysed = analysed_seconds(duration, manifest.get("settings", {}).get("video", {}))
    return {
        "video": PurePath(manifest["video_path"]).name,
        "status": manifest["status"],
        "duration_seconds": duration,
        "frames": ledger.get("frames", ledger["decoded"]),
        "frames_decoded": ledger["decoded"],
        "frames_analysed": ledger["analysed"],
        "frames_failed": ledger["failed"],
        "asked_seconds": analysed,
        **manifest["results"],
        "elapsed_seconds": manifest["elapsed_seconds"],
        "times_real_time": analysed / max(1e-9, manifest["elapsed_seconds"]),
        **_pace(manifest["stage_seconds"]),
        "was_there": was_there,
        "warnings": list(manifest["warnings"]),
        "folder": str(folder),
        "files": sorted({*manifest["outputs"], *others, MANIFEST}),
    }


def analysed_seconds(duration: float, video: dict[str, Any]) -> float:
    """The seconds of a video that were asked for, by the settings of the section `video`."""
    end = min(duration, float(video.get("end_seconds") or duration))
    return max(0.0, end - float(video.get("start_seconds") or 0.0))


def _pace(seconds: dict[str, float]) -> dict[str, Any]:
    """The share of the observing time that each stage was at work, and the busiest; none where nothing was observed."""
    total = seconds.get(OBSERVE, 0.0)
    busy = {name: min(1.0, seconds[name] / total) for name in STAGES if name in seconds} if total > 0 else {}
    return {"busy_shares": busy, "bottleneck": max(busy, key=lambda name: busy[name]) if busy else None}


def _peak(faces: pa.Table, column: str) -> dict[str, float] | None:
    """The largest value among usable faces, and when."""
    import numpy as np

    usable = usable_faces(faces["abstain"])
    if not usable.any():
        return None
    values = np.where(usable, faces[column].to_numpy(), -1)
    row = int(values.argmax())
    return {
        "value": float(values[row]),
        "time_s": faces["time_s"][row].as_py(),
        "track_id": faces["track_id"][row].as_py(),
    }
