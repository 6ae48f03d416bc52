"""A classifier that also looks at the mirror image of each face. Knows nothing of which network it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fervid.emotion import Classifier


class MirrorAverage:
    """Logits averaged with those of the mirrored crop: twice the work a face, for any runner."""

    def __init__(self, classifier: Classifier) -> None:
        """`classifier` scores both views, in one call."""
        self._classifier = classifier

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 (N, S, S) -> mean logits float32 (N, C); N may be 0."""
        logits = self._classifier.predict(np.concatenate([crops, crops[:, :, ::-1]]))
        return np.asarray((logits[: len(crops)] + logits[len(crops) :]) / np.float32(2))
