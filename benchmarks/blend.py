"""How much the voters' head should count beside FER-2013's (`emotion.labels = "blend"`): the battery for each share.

    python benchmarks/blend.py --data FER2013 --clips FOLDER --stills FOLDER [--cache FOLDER]

Arguments as for `benchmarks/battery.py`. For each person of the clips the share is chosen that has the highest mean of
PublicTest, both numbers of the stills and the clips of all others, and is measured on the clips of that person.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

import fervid
from battery import PARTS, Row, measure, table, verdict
from battery_faces import Clip, load_clips, load_stills
from fervid.emotion.heads import SHARE_OF_VOTERS
from fervid.train.data.fer2013 import EMOTIONS, load_fer2013

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--stills", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    arguments = parser.parse_args()
    settings = fervid.load_settings(options={"emotion.labels": "blend"}, environment={})
    faces = load_fer2013(arguments.data).split("PublicTest")
    clips = load_clips(arguments.clips, settings, arguments.cache)
    stills = load_stills(arguments.stills, settings, EMOTIONS, arguments.cache)
    rows = []
    for share in SHARES:
        SHARE_OF_VOTERS["blend"] = share
        rows.append(measure(f"{share:g}", settings.emotion.model, settings, faces, stills, clips))
    print(table(rows))
    print("\n" + "\n".join(verdict(rows[0], row) for row in rows[1:]))
    chosen = {person: choose(rows, [clip for clip in clips if clip.person != person]) for person in people(clips)}
    right = sum(rows[chosen[clip.person]].answers[clip.file] == clip.emotion for clip in clips)
    print(f"chosen without each person: {dict(Counter(rows[i].name for i in chosen.values()))}; {right} of "
          f"{len(clips)} clips right, {rows[0].more['clips right']:.0f} with FER-2013's head alone")  # fmt: skip


def people(clips: list[Clip]) -> list[str]:
    return sorted({clip.person for clip in clips})


def choose(rows: list[Row], others: list[Clip]) -> int:
    """The row that is best where only these clips are known."""

    def mean(row: Row) -> float:
        right = np.mean([row.answers[clip.file] == clip.emotion for clip in others])
        return float(np.mean([*(row.parts[part] for part in PARTS if part != "clips"), right]))

    return max(range(len(rows)), key=lambda i: mean(rows[i]))


if __name__ == "__main__":
    main()
