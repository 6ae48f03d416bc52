"""The layout of OpenFace's CSV: frame, face_id, timestamp, confidence, success; a row per face.

Gaze, pose, landmarks and action units are omitted: fervid does not measure them. Expressions follow as
`fervid_<label>`.
"""

from __future__ import annotations

from fervid.exports.cells import csv_text
from fervid.exports.source import RunTables

COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")


def export(run: RunTables) -> bytes:
    """CSV. Frames count from 1, as in OpenFace; a frame without a face has success 0."""
    by_frame: dict[int, list[dict[str, object]]] = {}
    for face in run.faces:
        by_frame.setdefault(face["frame"], []).append(face)
    rows: list[list[object]] = []
    for frame in run.frames:
        number, seconds = frame["frame"] + 1, f"{frame['time_s']:.3f}"
        found = by_frame.get(frame["frame"], [])
        rows += [
            [
                number,
                face["track_id"],
                seconds,
                face["det_score"],
                1,
                *(face[name] for name in run.scores.values()),
            ]
            for face in found
        ]
        if not found:
            rows.append([number, 0, seconds, 0, 0, *([None] * len(run.labels))])
    return csv_text([*COLUMNS, *(f"fervid_{label}" for label in run.labels)], rows).encode()
