"""A classifier that also uses the mirror image of each face. Independent of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fervid.emotion import Classifier


class MirrorAverage:
    """Logits averaged with those of the mirrored crop: twice the work per face, for any runner."""

    def __init__(self, classifier: Classifier) -> None:
        """`classifier` scores both views, in one call."""
        self._classifier = classifier

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 (N, S, S) -> mean logits float32 (N, C); N may be 0."""
        logits = self._classifier.predict(np.concatenate([crops, crops[:, :, ::-1]]))
        return np.asarray((logits[: len(crops)] + logits[len(crops) :]) / np.float32(2))
