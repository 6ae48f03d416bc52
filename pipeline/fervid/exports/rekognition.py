"""The structure of Amazon Rekognition's GetFaceDetection response, as JSON. Works offline.

Landmarks, pose and other attributes are omitted: fervid does not measure them. Neutral is its CALM.
"""

from __future__ import annotations

import json
from typing import Any

from fervid.exports.source import RunTables

TYPES = {
    "angry": "ANGRY",
    "disgust": "DISGUSTED",
    "fear": "FEAR",
    "happy": "HAPPY",
    "sad": "SAD",
    "surprise": "SURPRISED",
    "neutral": "CALM",
}
UNKNOWN = "UNKNOWN"
PERCENT, MILLISECONDS = 100, 1000


def export(run: RunTables) -> bytes:
    """JSON with JobStatus, VideoMetadata and Faces in order of time; boxes are relative to the frame size."""
    width, height = run.size_px
    content = {
        "JobStatus": "SUCCEEDED",
        "VideoMetadata": {
            "Codec": str(run.manifest["video"].get("codec") or ""),
            "DurationMillis": round(run.duration_s * MILLISECONDS),
            "FrameRate": run.frame_rate,
            "FrameHeight": height,
            "FrameWidth": width,
        },
        "Faces": [
            {"Timestamp": round(face["time_s"] * MILLISECONDS), "Face": _face(face, run.scores, width, height)}
            for face in run.faces
        ],
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def _face(face: dict[str, Any], scores: dict[str, str], width: int, height: int) -> dict[str, Any]:
    emotions = [
        {"Type": TYPES.get(label, UNKNOWN), "Confidence": face[column] * PERCENT} for label, column in scores.items()
    ]
    quality = {"Brightness": face.get("light"), "Sharpness": face.get("sharpness")}
    return {
        "BoundingBox": {
            "Width": face["w"] / width,
            "Height": face["h"] / height,
            "Left": face["x"] / width,
            "Top": face["y"] / height,
        },
        "Confidence": face["det_score"] * PERCENT,
        "Quality": {name: value * PERCENT for name, value in quality.items() if value is not None},
        "Emotions": sorted(emotions, key=lambda emotion: -emotion["Confidence"]),
    }
