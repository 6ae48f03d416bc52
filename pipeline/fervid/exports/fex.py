"""The CSV format of py-feat's `Fex`: a row per face, boxes as FaceRect, emotions by its names.

Action units, landmarks and head pose are omitted: fervid does not measure them.
"""

from __future__ import annotations

from fervid.exports.cells import csv_text
from fervid.exports.source import RunTables

NAMES = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprise": "surprise",
    "neutral": "neutral",
}
BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore")
SECONDS_PER_MINUTE = 60


def export(run: RunTables) -> bytes:
    """CSV; a frame without a face is a row with empty box and emotions, as in py-feat."""
    by_frame: dict[int, list[list[object]]] = {}
    for face in run.faces:
        values: list[object] = [face[name] for name in ("x", "y", "w", "h", "det_score")]
        values += [face[name] for name in run.scores.values()]
        by_frame.setdefault(face["frame"], []).append([*values, face["track_id"]])
    columns = [*BOX, *(NAMES.get(label, label) for label in run.labels), "Track"]
    rows = [
        [frame["frame"], _clock(frame["time_s"]), run.video, *values]
        for frame in run.frames
        for values in by_frame.get(frame["frame"], [[None] * len(columns)])
    ]
    return csv_text(["frame", "approx_time", "input", *columns], rows).encode()


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // SECONDS_PER_MINUTE:02d}:{whole % SECONDS_PER_MINUTE:02d}"
