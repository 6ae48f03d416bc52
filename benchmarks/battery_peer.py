"""What the Python package `fer` answers on the battery's clips and stills, run in an environment of its own.

Its answers do not depend on fervid, so they are kept in the cache. Knows no fervid.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

CLIPS = """
import json, sys, tempfile
from collections import Counter
from fer.fer import FER
from fer.classes import Video

detector = FER()
for path in sys.argv[1:]:
    with tempfile.TemporaryDirectory() as folder:
        video = Video(path, outdir=folder)
        rows = video.analyze(detector, display=False, save_frames=False, save_video=False, annotate_frames=False,
                             zip_images=False, output="pandas")
        found = video.get_emotions(video.get_first_face(video.to_pandas(rows))).dropna()
    leads = Counter(found.idxmax(axis=1))
    print("ANSWER " + (leads.most_common(1)[0][0] if leads else "none"), flush=True)
"""
STILLS = """
import sys, cv2
from fer.fer import FER

detector = FER()
for path in sys.argv[1:]:
    found = detector.detect_emotions(cv2.imread(path))
    largest = max(found, key=lambda face: face["box"][2] * face["box"][3], default=None)
    print("ANSWER " + (max(largest["emotions"], key=largest["emotions"].get) if largest else "none"), flush=True)
"""


def peer_on_clips(python: Path, paths: list[Path], cache: Path) -> list[str | None]:
    """The emotion that leads in most frames of each clip, by the package's own video analysis."""
    return _answers(python, CLIPS, paths, cache / "fer-clips.json")


def peer_on_stills(python: Path, paths: list[Path], cache: Path) -> list[str | None]:
    """The emotion of the largest face in each photograph."""
    return _answers(python, STILLS, paths, cache / "fer-stills.json")


def _answers(python: Path, program: str, paths: list[Path], kept: Path) -> list[str | None]:
    """What the program prints for each file, asked for once."""
    known: dict[str, str | None] = json.loads(kept.read_text()) if kept.is_file() else {}
    missing = [path for path in paths if path.name not in known]
    if missing:
        command = [str(python.absolute()), "-c", program, *(str(path.absolute()) for path in missing)]
        with tempfile.TemporaryDirectory() as folder:  # `fer` leaves files in the current one
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        found = [line.removeprefix("ANSWER ") for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
        if done.returncode or len(found) != len(missing):
            raise SystemExit(f"{python} did not finish: {done.stderr[-2000:]}")
        known |= {path.name: None if a == "none" else a for path, a in zip(missing, found, strict=True)}
        kept.write_text(json.dumps(known))
    return [known[path.name] for path in paths]
