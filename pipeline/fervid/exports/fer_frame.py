"""The DataFrame of the package `fer`: a row per analysed frame, `box0`, `angry0` ... for the first face, and so on.

It has no times and no frame numbers; the rows are those of frames.parquet that are not corrupt, in order.
"""

from __future__ import annotations

from typing import Any

from fervid.exports.cells import csv_text
from fervid.exports.source import RunTables

DIGITS = 4


def export(run: RunTables) -> bytes:
    """CSV of that DataFrame. Faces of a frame are in the order of their tracks."""
    by_frame: dict[int, list[dict[str, Any]]] = {}
    for face in run.faces:
        by_frame.setdefault(face["frame"], []).append(face)
    most = max((len(faces) for faces in by_frame.values()), default=1)
    names = [f"{name}{i}" for i in range(most) for name in ("box", *run.labels)]
    rows = []
    for frame in run.frames:
        row: list[object] = []
        for face in sorted(by_frame.get(frame["frame"], []), key=lambda face: face["track_id"]):
            row.append(str([round(float(face[side])) for side in "xywh"]))
            row += [round(float(face[name]), DIGITS) for name in run.scores.values()]
        rows.append(row + [None] * (len(names) - len(row)))
    return csv_text(names, rows).encode()
