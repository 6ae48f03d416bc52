"""Which files a browser plays by itself, and how a page names a file beside it. Opens nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

PLAYED_CODECS = ("h264", "vp8", "vp9", "av1", "libdav1d")
PLAYED_CONTAINERS = ("mov", "mp4", "matroska", "webm")
"""What Chromium plays of what cameras record; not HEVC, MPEG-4 part 2, MJPEG, MPEG-TS, WMV, FLV, H.263 (tried)."""


def browser_plays(video: dict[str, Any]) -> bool:
    """Whether a browser most likely plays a video, from the manifest's entry of it."""
    if video.get("turn_degrees") or video.get("stream"):
        return False  # a browser knows neither
    containers = str(video.get("container", "")).split(",")
    return video.get("codec") in PLAYED_CODECS and any(name in PLAYED_CONTAINERS for name in containers)


def relative_address(video: Path, page_folder: Path) -> str | None:
    """The address of a file as seen from a page, safe for any name; None where no way leads there."""
    try:
        path = os.path.relpath(video.resolve(), page_folder.resolve())
    except ValueError:  # another drive
        return None
    return quote(Path(path).as_posix().encode("utf-8", "surrogateescape"), safe="/")
