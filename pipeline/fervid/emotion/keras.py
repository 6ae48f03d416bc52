"""Run a classifier with Keras, on whatever backend and device it is configured for. Knows nothing of videos.

Every batch has the same shape, the last one padded with zeros, so that the graph is traced once.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fervid.backend import load_keras
from fervid.emotion.crops import as_network_input
from fervid.emotion.model import WEIGHTS, ModelInfo
from fervid.errors import ConfigError, ModelError


class KerasClassifier:
    """The network of a model folder in Keras: worth its start on a GPU; see `litert` for the CPU."""

    def __init__(self, info: ModelInfo, batch_size: int = 64) -> None:
        """Raises DependencyMissing without Keras, ModelError for weights that are not those of the named network."""
        self.network = load_network(info)
        self.info = info
        self.batch_size = batch_size

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 (N, S, S) -> logits float32 (N, C); N may be 0."""
        logits = np.empty((len(crops), self.info.n_logits), np.float32)
        for start in range(0, len(crops), self.batch_size):
            taken = crops[start : start + self.batch_size]
            padding = [(0, self.batch_size - len(taken)), (0, 0), (0, 0)]
            batch = np.pad(taken, padding) if len(taken) < self.batch_size else taken
            logits[start : start + len(taken)] = self.network.predict_on_batch(as_network_input(batch))[: len(taken)]
        return logits


def load_network(info: ModelInfo) -> Any:
    """The `keras.Model` of a checked model folder, with its weights: faces (N, S, S, 1) in 0..1 to the logits.

    Raises DependencyMissing without Keras, ModelError for weights that are not those of the named networks.
    """
    load_keras()
    from fervid.train.network import build_model

    path = info.folder / WEIGHTS
    try:
        model = build_model(info)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # how Keras says that it left layers untrained
            model.load_weights(path)
    except ConfigError as problem:
        raise ModelError(f"{info.folder}: {problem}") from None
    except (ValueError, OSError, UserWarning) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise ModelError(
            f"{path} does not fit the network {info.network} ({reason}). Export the model again."
        ) from None
    return model
