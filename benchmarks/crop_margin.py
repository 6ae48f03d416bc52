"""How much of a face's surroundings the network should see: agreement with the labels of clips, for several margins.

    python benchmarks/crop_margin.py FOLDER [--model NAME] [--margins 0 0.15 0.3]

FOLDER holds clips and `labels.csv` (columns file, emotion, confidence). A clip agrees when the emotion with the largest
share of the face time is its label. The negative log-likelihood is the mean over clips of the label's smoothed
probability over the faces: it moves before the counts do.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

import fervid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=None)
    parser.add_argument("--margins", nargs="+", type=float, default=[0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
    arguments = parser.parse_args()
    with (arguments.folder / "labels.csv").open(encoding="utf-8") as file:
        clips = list(csv.DictReader(file))
    n_sure = sum(clip["confidence"] == "high" for clip in clips)
    print(f"margin   agree (of {len(clips)})   sure labels (of {n_sure})   NLL     by label")
    for margin in arguments.margins:
        options = {"emotion.crop_margin": margin, "emotion.model": arguments.model}
        settings = fervid.load_settings(options=options, environment={})
        agreed: Counter[str] = Counter()
        sure, losses = 0, []
        for clip in clips:
            with tempfile.TemporaryDirectory() as out:
                run = fervid.analyze(arguments.folder / clip["file"], out=out, settings=settings, plot=False)
                agrees = run.summary()["dominant"] == clip["emotion"]
                agreed[clip["emotion"]] += agrees
                sure += agrees and clip["confidence"] == "high"
                scores = run.faces[f"s_{clip['emotion']}"].to_numpy()
                losses.append(float(-np.log(np.maximum(scores, 1e-6)).mean()))
        by_label = ", ".join(f"{label} {n}" for label, n in sorted(agreed.items()))
        print(f"{margin:6.2f}   {agreed.total():13}   {sure:19}   {np.mean(losses):.3f}   {by_label}", flush=True)


if __name__ == "__main__":
    main()
