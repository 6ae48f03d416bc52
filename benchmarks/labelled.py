"""Which emotion fervid and the Python package `fer` see most in labelled clips, side by side in one run.

    python benchmarks/labelled.py FOLDER --fer-python FER_VENV/bin/python [--presets fast accurate] [--json FILE]

FOLDER holds clips and `labels.csv` (columns file, emotion, confidence). `fer` runs in a virtual environment of its own,
by its own video analysis (its defaults: Haar, every frame); without --fer-python it is left out. A clip agrees when the
emotion that leads for most of the face time is its label. For `fer` the mean of its scores over the clip is shown too,
which is what its documentation plots.

Knows nothing of how fast either is.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import fervid
from fervid.run.summary import results_in_numbers

PEER = """
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
    answer = {"share": leads.most_common(1)[0][0] if leads else None,
              "mean": found.mean().idxmax() if len(found) else None}
    print("ANSWER " + json.dumps(answer), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fer-python", type=Path, help="Python of a virtual environment that holds `fer`")
    parser.add_argument("--presets", nargs="+", default=["default", "fast", "accurate"])
    parser.add_argument("--json", type=Path, help="where to write the answer to each clip")
    arguments = parser.parse_args()
    with (arguments.folder / "labels.csv").open(encoding="utf-8") as file:
        clips = list(csv.DictReader(file))
    paths = [arguments.folder / clip["file"] for clip in clips]
    labels = [clip["emotion"] for clip in clips]

    answers: dict[str, list[str | None]] = {}
    models = {}
    for preset in arguments.presets:
        settings = fervid.load_settings(preset=preset, environment={})
        models[f"fervid, {preset}"] = settings.emotion.model
        answers[f"fervid, {preset}"] = [dominant(path, settings) for path in paths]
    if arguments.fer_python is None:
        print("fer: left out, --fer-python was not given")
    else:
        found = peer_answers(arguments.fer_python, paths)
        answers["fer, leading emotion"] = [one["share"] for one in found]
        answers["fer, mean scores"] = [one["mean"] for one in found]

    print(table(labels, answers))
    if arguments.json:
        content = {
            "clips": clips,
            "models": models,
            "answers": answers,
            "agree": {name: sum(map(str.__eq__, labels, map(str, own))) for name, own in answers.items()},
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def dominant(path: Path, settings: fervid.Settings) -> str | None:
    """The emotion that leads for most of the face time of a clip; None without a usable face."""
    with tempfile.TemporaryDirectory() as out:
        run = fervid.analyze(path, out=out, settings=settings, plot=False, device="cpu")
        found = results_in_numbers(run.timeline, run.faces, run.tracks, run.manifest.model["labels"])["dominant"]
    return None if found is None else str(found)


def peer_answers(python: Path, paths: list[Path]) -> list[dict[str, str | None]]:
    """What `fer` says of each clip, from one process of its own environment."""
    command = [str(python.absolute()), "-c", PEER, *(str(path.absolute()) for path in paths)]
    with tempfile.TemporaryDirectory() as folder:  # it leaves files in the current one
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = [line.removeprefix("ANSWER ") for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    if done.returncode or len(lines) != len(paths):
        raise SystemExit(f"{python} did not finish: {done.stderr[-2000:]}")
    return [json.loads(line) for line in lines]


def table(labels: list[str], answers: dict[str, list[str | None]]) -> str:
    """One row a program: clips that agree, and of how many by label."""
    totals = Counter(labels)
    lines = [f"{'':<24}{'agree':>8}" + "".join(f"{label:>10}" for label in totals)]
    for name, own in answers.items():
        hits = Counter(label for label, answer in zip(labels, own, strict=True) if label == answer)
        cells = "".join(f"{f'{hits[label]}/{n}':>10}" for label, n in totals.items())
        lines.append(f"{name:<24}{f'{hits.total()}/{len(labels)}':>8}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
