"""Emotion classifiers: the protocol and the table of runners. Knows nothing of video.

The scheduling process reads a model's `model.json` through here, so NumPy is imported where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fervid.base.registry import resolve
from fervid.emotion.model import ModelInfo

if TYPE_CHECKING:
    import numpy as np

CLASSIFIERS = {
    "litert": "fervid.emotion.litert:LiteRTClassifier",
    "keras": "fervid.emotion.keras:SharedGpuClassifier",
    "plugin": "fervid.emotion.plugin:PluginClassifier",
}
PLUGIN = "plugin"


class Classifier(Protocol):
    """Classifies face crops with one set of weights. Made with `(info, batch_size=N)`."""

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """uint8 (N, S, S) full range -> logits float32 (N, C) of all heads side by side. N may be 0."""
        ...


def make_classifier(runner: str, info: ModelInfo, *, batch_size: int = 64, flip: bool = False) -> Classifier:
    """The runner of that name over a checked model folder; with `flip`, its mean over each crop and its mirror."""
    from fervid.emotion.flip import MirrorAverage

    if info.plugin:
        runner = PLUGIN
    classifier: Classifier = resolve(CLASSIFIERS, runner, kind="runner")(info, batch_size=batch_size)
    return MirrorAverage(classifier) if flip else classifier
