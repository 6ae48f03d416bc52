"""An analysed frame as a line of JSON, with the names of the tables' columns. Writes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fervid.base.types import FACE_QUALITY
from fervid.interpret.causal import LiveFace
from fervid.live.session import Moment


def moment_row(moment: Moment, labels: Sequence[str]) -> dict[str, Any]:
    """Plain values: `type` "frame", its times, how the view keeps up, its faces, and the alerts that it raised.

    Of a face: the columns of faces.parquet, but `s_<label>` and `r_<label>` use causal smoothing. With `motion.measure`
    the columns of motion of frames.parquet, but for the grid.
    """
    row = {
        "type": "frame",
        "frame": moment.index,
        "time_s": round(moment.seconds, 4),
        "utc": moment.utc.isoformat(timespec="milliseconds"),
        "latency_ms": round(moment.rates.latency_seconds * 1000, 1),
        "fps": round(moment.rates.fps, 2),
        "dropped": moment.rates.dropped,
        "status": moment.rates.status,
        "faces": [_face_row(face, labels) for face in moment.faces],
        "alerts": [alert.to_json() for alert in moment.alerts],
    }
    if (motion := moment.motion) is not None:
        row |= {"speed": _number(motion.speed), "camera_moves": motion.camera_moves}
        row |= {"agitation": _number(motion.agitation), "agitation_usual": _number(motion.usual)}
    return row


def _face_row(face: LiveFace, labels: Sequence[str]) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(side) for side in face.box)
    face_quality = {name: _number(value) for name, value in zip(FACE_QUALITY, face.face_quality, strict=True)}
    read_out = {}
    if face.read_out is not None:
        read_out = {f"r_{label}": float(value) for label, value in zip(labels, face.read_out, strict=True)}
    return (
        {"track_id": face.track_id, "x": x0, "y": y0, "w": x1 - x0, "h": y1 - y0}
        | {"det_score": face.det_score, "quality": face.quality}
        | face_quality
        | {f"p_{label}": float(value) for label, value in zip(labels, face.raw, strict=True)}
        | {f"s_{label}": float(value) for label, value in zip(labels, face.smoothed, strict=True)}
        | read_out
        | {"label": face.label, "confidence": face.confidence, "margin": face.margin, "abstain": face.abstain}
    )


def _number(value: float) -> float | None:
    """JSON has no NaN: unknown values are null."""
    return None if math.isnan(value) else float(value)
