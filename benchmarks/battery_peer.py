"""What the Python package `fer` answers on the battery's clips and stills, run in an environment of its own.

Its answers do not depend on fervid, so they are kept in the cache. Knows no fervid.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from labelled import peer_answers

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
    """The emotion that leads in most frames of each clip."""
    kept = cache / "fer-clips.json"
    known: dict[str, str | None] = json.loads(kept.read_text()) if kept.is_file() else {}
    missing = [path for path in paths if path.name not in known]
    if missing:
        found = peer_answers(python, missing)
        known |= {path.name: answer["share"] for path, answer in zip(missing, found, strict=True)}
        kept.write_text(json.dumps(known))
    return [known[path.name] for path in paths]


def peer_on_stills(python: Path, paths: list[Path], cache: Path) -> list[str | None]:
    """The emotion of the largest face in each photograph."""
    kept = cache / "fer-stills.json"
    known: dict[str, str | None] = json.loads(kept.read_text()) if kept.is_file() else {}
    missing = [path for path in paths if path.name not in known]
    if missing:
        command = [str(python.absolute()), "-c", STILLS, *(str(path.absolute()) for path in missing)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = [line.removeprefix("ANSWER ") for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
        if done.returncode or len(found) != len(missing):
            raise SystemExit(f"{python} did not finish: {done.stderr[-2000:]}")
        known |= {path.name: None if a == "none" else a for path, a in zip(missing, found, strict=True)}
        kept.write_text(json.dumps(known))
    return [known[path.name] for path in paths]
