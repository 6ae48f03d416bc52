"""Labels for Audacity: start, end and text, separated by tabs (File, Import, Labels)."""

from __future__ import annotations

from fervid.exports.source import RunTables


def export(run: RunTables) -> bytes:
    """One line per event, seconds with six decimals, UTF-8."""
    return "".join(
        f"{event.start_s:.6f}\t{event.end_s:.6f}\t{' '.join(event.text.split())}\n" for event in run.events
    ).encode()
