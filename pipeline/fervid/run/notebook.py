"""A run as a notebook shows it: a small table, and its plot. Reads nothing."""

from __future__ import annotations

import base64
from html import escape
from typing import Any

from fervid.base.printable import counted

MOST_SHARES = 3
LEAST_SHARE = 0.005


def run_html(summary: dict[str, Any], plot: bytes | None = None) -> str:
    """A fragment of HTML: a run's summary as rows, and `plot`, a PNG, below them."""
    ranked = sorted(summary["shares"].items(), key=lambda item: -item[1])[:MOST_SHARES]
    shares = ", ".join(f"{label} {share:.0%}" for label, share in ranked if share >= LEAST_SHARE)
    peak = summary["peak_anger"]
    n_tracks = counted(summary["tracks"], "track")
    rows = {
        "video": f"{summary['video']}, {summary['duration_seconds']:.1f} s, {summary['status']}",
        "frames": f"{summary['frames_analysed']} of {summary['frames']} analysed",
        "faces": f"{summary['faces']} in {n_tracks}; a usable face {summary['coverage']:.0%} of the time",
        "looks": f"{shares} of the time with a face: how faces look, not what people feel" if shares else "",
        "anger-like": f"peak {peak['value']:.2f} at {peak['time_s']:.1f} s, track {peak['track_id']}" if peak else "",
        "warnings": "; ".join(summary["warnings"]),
        "folder": summary["folder"],
    }
    cells = "".join(
        f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
        if value
    )
    image = ""
    if plot is not None:
        data = base64.b64encode(plot).decode()
        image = f'<img alt="timeline of expressions" style="max-width:100%" src="data:image/png;base64,{data}">'
    return f"<div><table>{cells}</table>{image}</div>"
