"""Many runs from one, as far as the page can tell: each with a video and alerts of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import parse_rules
from fervid.run.handle import Run, open_run
from manifests import change_manifest

ANY_FACE = {"name": "any", "wording": "a face", "score": "confidence", "enter": 0, "for": 0, "merge_gap": 100}
NO_FACE = ANY_FACE | {"enter": 2.0, "exit": 2.0}
HOSTILE = '"><img src=x onerror=alert(1)>&#x27;.mp4'
"""The name of a video that would be markup."""
NOT_COPIED = ("observations", "previews", "*.png", "*.html", "reviews.*", "alerts.*", "derived.jsonl")


def copy_run(run: Run, folder: Path, number: int) -> Path:
    """A run of its own, its video linked under another name."""
    if not folder.exists():
        shutil.copytree(run.folder, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    video = Path(run.manifest.video_path)
    own = video.with_name(f"clip-{number:04d}.mp4")
    if not own.exists():
        os.link(video, own)
    change_manifest(folder, video_path=str(own))
    return folder


def find_alerts(folder: Path, *rules: dict[str, Any]) -> int:
    """Write the alerts of rules into a run; returns how many."""
    found = scan_run(open_run(folder), parse_rules({"rule": list(rules or (ANY_FACE,))}, source="test"))
    write_alerts(found)
    return len(found.records)


def many_runs(run: Run, folder: Path, n: int, n_alerts: int) -> Path:
    """A folder of `n` runs, the last `n_alerts` of which have an alert each."""
    for i in range(n):
        copy = copy_run(run, folder / f"camera-{i % 4}" / f"clip-{i:04d}", i)
        find_alerts(copy, ANY_FACE if i >= n - n_alerts else NO_FACE)
    return folder
