"""The images of an alert as HTML: stills with covered faces, a plot of its scores, a link to its clip.

Stills with an open face are never included, because pages are easily shared. Knows nothing of rules.
"""

from __future__ import annotations

import base64
import json
import os
from html import escape
from pathlib import Path
from urllib.parse import quote

from fervid.alerts.find.records import AlertRecord

STILLS = ("start", "peak", "end")
STILL_WIDTH_PX = 320
JPEG_QUALITY = 80


def images(run_folder: Path, record: AlertRecord, page_folder: Path) -> str:
    """HTML of the images of an alert; empty without evidence."""
    folders = sorted((run_folder / "evidence").glob(f"*-{record.alert_id}"))
    if not folders:
        return ""
    folder = folders[0]
    parts = []
    if _faces_are_covered(folder):
        stills = [_still(folder / f"still-{name}.jpg", f"{name} of {record.text()}") for name in STILLS]
        parts.append(f'<p class="stills">{"".join(stills)}</p>')
    strip = folder / "strip.png"
    if strip.is_file():
        parts.append(
            f'<p><img alt="scores around {escape(record.text())}" src="{_data(strip.read_bytes(), "png")}"></p>'
        )
    clip = folder / "clip.mp4"
    if clip.is_file():
        address = quote(Path(os.path.relpath(clip.resolve(), page_folder.resolve())).as_posix())
        parts.append(f'<p class="quiet"><a href="{escape(address)}">clip.mp4</a>, if the run folder is available</p>')
    return "\n".join(parts)


def _faces_are_covered(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "alert.json").read_text(encoding="utf-8"))["blur"] == "all")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _still(path: Path, what: str) -> str:
    from fervid.base.opencv import cv2

    image = cv2.imread(str(path))
    if image is None:
        return ""
    height, width = image.shape[:2]
    if width > STILL_WIDTH_PX:
        size = (STILL_WIDTH_PX, max(1, round(height * STILL_WIDTH_PX / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    encoded, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return f'<img alt="{escape(what)}" src="{_data(data.tobytes(), "jpeg")}">' if encoded else ""


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
