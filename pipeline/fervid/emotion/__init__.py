"""Emotion classifiers: the protocol and the table of runners. Knows nothing of video."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fervid.emotion.model import ModelInfo
from fervid.registry import resolve

CLASSIFIERS = {
    "litert": "fervid.emotion.litert:LiteRTClassifier",
    "keras": "fervid.emotion.keras:KerasClassifier",
}


class Classifier(Protocol):
    """Scores face crops with one set of weights. Made with `(info, batch_size=N)`."""

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """uint8 (N, S, S) full range -> logits float32 (N, C). N may be 0."""
        ...


def make_classifier(runner: str, info: ModelInfo, *, batch_size: int = 64) -> Classifier:
    """The runner of that name over a checked model folder."""
    classifier: Classifier = resolve(CLASSIFIERS, runner, kind="runner")(info, batch_size=batch_size)
    return classifier
