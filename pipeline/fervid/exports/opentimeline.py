"""OpenTimelineIO (.otio): the video as one clip with a marker per event, for editing programs."""

from __future__ import annotations

import json
from typing import Any

from fervid.exports.events import ALERT
from fervid.exports.source import RunTables

USUAL_RATE = 25.0
"""Time rate used if the video's own is unknown. Values are not rounded to frames."""
COLOURS = {"angry": "RED", "disgust": "GREEN", "fear": "PURPLE", "happy": "YELLOW", "sad": "BLUE", "surprise": "CYAN"}


def export(run: RunTables) -> bytes:
    """A timeline of one clip that refers to the video by file name. Times start at a player's zero."""
    rate = run.frame_rate or USUAL_RATE
    markers = [
        {
            "OTIO_SCHEMA": "Marker.2",
            "name": event.text,
            "color": "RED" if event.kind == ALERT else COLOURS.get(event.label, "WHITE"),
            "comment": "needs review" if event.kind == ALERT else "",
            "marked_range": _range(event.start_s, event.end_s - event.start_s, rate),
            "metadata": {
                "fervid": {"kind": event.kind, "label": event.label, "score": event.score, "track_id": event.track_id}
            },
        }
        for event in run.events
    ]
    media = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "name": run.video,
        "target_url": run.video,
        "available_range": _range(0.0, run.duration_s, rate),
        "metadata": {},
    }
    clip = {
        "OTIO_SCHEMA": "Clip.2",
        "name": run.video,
        "source_range": _range(0.0, run.duration_s, rate),
        "media_references": {"DEFAULT_MEDIA": media},
        "active_media_reference_key": "DEFAULT_MEDIA",
        "effects": [],
        "markers": markers,
        "enabled": True,
        "metadata": {},
    }
    track = _part("Track.1", "faces", [clip]) | {"kind": "Video"}
    timeline = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": run.video,
        "global_start_time": None,
        "tracks": _part("Stack.1", "tracks", [track]),
        "metadata": {"fervid": {"video_id": run.manifest["video_id"], "model": run.manifest["model"]["name"]}},
    }
    return (json.dumps(timeline, indent=1, ensure_ascii=False) + "\n").encode()


def _part(schema: str, name: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": schema,
        "name": name,
        "children": children,
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": True,
        "metadata": {},
    }


def _range(start_s: float, seconds: float, rate: float) -> dict[str, Any]:
    start, length = (
        {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": value * rate} for value in (start_s, seconds)
    )
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": start, "duration": length}
