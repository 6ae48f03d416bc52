"""SubRip (.srt) captions. The format has no specification; this is what players have in common."""

from __future__ import annotations

from fervid.base.clock import clock
from fervid.exports.source import RunTables


def export(run: RunTables) -> bytes:
    """Numbered captions, one per event, lines separated by CR LF."""
    captions = [
        f"{i}\r\n{clock(event.start_s, decimals=3, mark=',')} --> {clock(event.end_s, decimals=3, mark=',')}\r\n"
        f"{' '.join(event.text.replace('-->', '→').split())}\r\n"
        for i, event in enumerate(run.events, 1)
    ]
    return "\r\n".join(captions).encode()
