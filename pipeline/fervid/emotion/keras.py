"""Run a classifier with Keras, on whatever backend and device it is configured for. Knows nothing of videos.

Batches are padded with zeros to few different sizes, so that the graph is traced once for each. Batches that do
not fit the device's memory are retried at half the size. Crops are sent to the device as bytes.
"""

from __future__ import annotations

import logging
import threading
import warnings
from typing import Any

import numpy as np

from fervid.emotion.batching import BatchQueue
from fervid.emotion.model import WEIGHTS, ModelInfo
from fervid.errors import ConfigError, ModelError
from fervid.runtime.backend import load_keras

log = logging.getLogger(__name__)

GPU_BATCH_SIZE = 4096
"""Batch size on a GPU, independent of `emotion.batch_size`, which is how many faces a segment submits at once."""

SMALLEST_PADDED = 64
"""Batches are padded to this, or to a power of two above it."""

SINGLE, MIXED = "float32", "mixed_float16"
"""Mixed precision computes in half and keeps weights and logits in single; logits differ by less than 0.01."""


class KerasClassifier:
    """The network of a model folder in Keras: worth its start on a GPU; see `litert` for the CPU."""

    def __init__(self, info: ModelInfo, batch_size: int = 64, *, precision: str = SINGLE) -> None:
        """Raises DependencyMissing without Keras, ModelError for weights that are not those of the named network."""
        self.network = load_network(info, precision=precision)
        self._on_bytes = _on_bytes(self.network, info.input_side_px)
        self.info = info
        self.batch_size = batch_size

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 (N, S, S) -> logits float32 (N, C); N may be 0. Raises ModelError when not even one face fits."""
        logits = np.empty((len(crops), self.info.n_logits), np.float32)
        start = 0
        while start < len(crops):
            taken = crops[start : start + self.batch_size]
            try:
                logits[start : start + len(taken)] = self._predict_batch(taken)
            except Exception as problem:
                if not is_out_of_device_memory(problem):
                    raise
                if self.batch_size == 1:
                    raise ModelError(
                        f"the device has no memory for one face ({_first_line(problem)}). "
                        "Free some, or use --device cpu."
                    ) from None
                self.batch_size //= 2
                log.warning("the device ran out of memory: using batches of %d faces from now on", self.batch_size)
                continue
            start += len(taken)
        return logits

    def _predict_batch(self, crops: np.ndarray) -> np.ndarray:
        size = min(self.batch_size, max(SMALLEST_PADDED, 1 << (len(crops) - 1).bit_length()))
        batch = np.pad(crops, [(0, size - len(crops)), (0, 0), (0, 0)]) if len(crops) < size else crops
        return np.asarray(self._on_bytes.predict_on_batch(batch[..., None])[: len(crops)], np.float32)


class SharedGpuClassifier:
    """One network on the GPU for all threads of the process: the crops of all segments and videos share its batches."""

    _shared: dict[str, BatchQueue] = {}  # noqa: RUF012
    _making = threading.Lock()

    def __init__(self, info: ModelInfo, *, batch_size: int = 64) -> None:  # noqa: ARG002
        """The first one of a model loads the network, in mixed precision; `batch_size` is that of the callers."""
        with self._making:
            if info.weights_sha256 not in self._shared:
                network = KerasClassifier(info, GPU_BATCH_SIZE, precision=MIXED)
                self._shared[info.weights_sha256] = BatchQueue(network.predict, batch_size=GPU_BATCH_SIZE)
            self._queue = self._shared[info.weights_sha256]
        self.info = info

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 (N, S, S) -> logits float32 (N, C); N may be 0."""
        if not len(crops):
            return np.empty((0, self.info.n_logits), np.float32)
        return self._queue.predict(crops)


def is_out_of_device_memory(problem: BaseException) -> bool:
    """Whether an error of TensorFlow or JAX means that the device ran out of memory."""
    return type(problem).__name__ == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in str(problem)


def _on_bytes(network: Any, side_px: int) -> Any:
    """The network behind what `as_network_input` does on the host: a quarter of the bytes to move."""
    import keras

    faces = keras.Input((side_px, side_px, 1), dtype="uint8", name="crops")
    return keras.Model(faces, network(keras.layers.Rescaling(1 / 255, dtype="float32")(faces)))


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().partition("\n")[0]


def load_network(info: ModelInfo, *, precision: str = SINGLE) -> Any:
    """The `keras.Model` of a checked model folder, with its weights: faces (N, S, S, 1) in 0..1 to the logits.

    `precision` is a dtype policy of Keras, for this network alone.

    Raises DependencyMissing without Keras, ModelError for weights that are not those of the named networks.
    """
    keras = load_keras()
    from fervid.emotion.networks.network import build_model

    path = info.folder / WEIGHTS
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(precision)
        model = build_model(info)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # how Keras reports layers without weights
            model.load_weights(path)
    except ConfigError as problem:
        raise ModelError(f"{info.folder}: {problem}") from None
    except (ValueError, OSError, UserWarning) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise ModelError(
            f"{path} does not fit the network {info.network} ({reason}). Export the model again."
        ) from None
    finally:
        keras.config.set_dtype_policy(before)
    return model
