"""WebVTT (W3C): captions for people, and a metadata track of JSON for pages. Times are as in a player."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from html import escape

from fervid.base.clock import clock
from fervid.exports.events import Event
from fervid.exports.source import RunTables

NOTE = "NOTE A label says how a face looks, not what a person feels."


def export_captions(run: RunTables) -> bytes:
    """One cue per event. Cues of several faces overlap, as WebVTT allows."""
    return _file(run.events, lambda event: escape(" ".join(event.text.split()), quote=False))


def export_metadata(run: RunTables) -> bytes:
    """One cue per event, its text a JSON object for `track kind=metadata`."""
    return _file(run.events, _as_json)


def _file(events: Iterable[Event], payload: Callable[[Event], str]) -> bytes:
    cues = [
        f"{i}\n{clock(event.start_s, decimals=3)} --> {clock(event.end_s, decimals=3)}\n{payload(event)}\n"
        for i, event in enumerate(events, 1)
    ]
    return "\n".join(["WEBVTT\n", f"{NOTE}\n", *cues]).encode()


def _as_json(event: Event) -> str:
    content = {
        "kind": event.kind,
        "label": event.label,
        "score": round(event.score, 4),
        "track_id": event.track_id,
        "start_s": round(event.start_s, 3),
        "end_s": round(event.end_s, 3),
        "text": event.text,
    }
    # An arrow in a text would start a new cue.
    return json.dumps(content, ensure_ascii=False).replace(">", "\\u003e")
