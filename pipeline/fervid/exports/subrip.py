"""SubRip (.srt) captions. The format has no specification; this is what players have in common."""

from __future__ import annotations

from fervid.exports.source import RunTables
from fervid.exports.webvtt import stamp


def export(run: RunTables) -> bytes:
    """Numbered captions, one per event, lines separated by CR LF."""
    captions = [
        f"{i}\r\n{stamp(event.start_s, ',')} --> {stamp(event.end_s, ',')}\r\n"
        f"{' '.join(event.text.replace('-->', '→').split())}\r\n"
        for i, event in enumerate(run.events, 1)
    ]
    return "\r\n".join(captions).encode()
