"""How often single faces of FER-2013's PublicTest pass the conditions of the `anger` rules, before time is asked for.

    python benchmarks/anger_rules.py fer2013.csv fer2013new.csv [MODEL]

Truth is what more than half of FER+'s ten voters said. Rules ask for a second or more of one face; this does not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from fervid.alerts.language.expression import Faces, evaluate
from fervid.alerts.language.rules import bind, load_rules
from fervid.base import assets
from fervid.emotion.heads import LABEL_SOURCES, label_probabilities
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import load_model_info
from fervid.train.data.fer2013 import load_fer2013
from fervid.train.data.ferplus import load_votes

MAJORITY = 5
NEUTRAL, HAPPY, ANGRY = 0, 1, 4
"""Columns of FER+'s votes."""


def main(data: str, votes_file: str, model: str = assets.DEFAULT_MODEL) -> None:
    info = load_model_info(assets.model_folder(model))
    dataset = load_fer2013(Path(data))
    votes = load_votes(Path(votes_file), dataset)[dataset.usage == "PublicTest"]
    logits = LiteRTClassifier(info).predict(dataset.split("PublicTest").images)
    known = votes[:, :8].max(axis=1) > MAJORITY
    angry = known & (votes[:, ANGRY] > MAJORITY)
    calm = (votes[:, NEUTRAL] > MAJORITY) | (votes[:, HAPPY] > MAJORITY)
    print(f"{known.sum()} faces with a majority, {angry.sum()} of them angry, {calm.sum()} neutral or happy")
    for source in LABEL_SOURCES if len(info.heads) > 1 else LABEL_SOURCES[:1]:
        probabilities = label_probabilities(logits, info, source=source)
        for name, passes in passing(probabilities, info.labels).items():
            print(
                f"{source:<8} {name:<14} {passes[angry].mean():6.1%} of the angry, "
                f"{passes[known & ~angry].mean():5.1%} of the others, {passes[calm].mean():5.1%} of the calm"
            )


def passing(probabilities: np.ndarray, labels: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Which faces reach `enter` and meet `where`, by rule; every picture taken for a good one."""
    n = len(probabilities)
    ranked = np.sort(probabilities, axis=1)
    columns = dict(zip(labels, probabilities.T, strict=True))
    columns |= {
        f"relative_{label}": columns[label] for label in labels
    }  # nothing is known of these people's usual look
    columns |= {"margin": ranked[:, -1] - ranked[:, -2], "quality": np.ones(n), "face_px": np.full(n, 100.0)}
    faces = Faces(columns, {}, np.arange(n), np.ones(n, bool), n)
    found = {"angry >= 0.5": (columns["angry"] >= 0.5) & (columns["margin"] >= 0.15)}
    for bound in bind(load_rules("anger"), labels):
        if bound.rule.over == "face":
            holds = True if bound.where is None else evaluate(bound.where, faces)
            found[bound.rule.name] = holds & (evaluate(bound.score, faces) >= bound.rule.enter)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
