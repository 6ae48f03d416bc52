"""Run a classifier with LiteRT on the CPU: the default, which never imports TensorFlow. Knows nothing of videos.

Faces go through one by one. Measured with the res-xs network on one thread of a server core (XNNPACK, float32, CPU
time per face): 0.55 ms in batches of 1, 0.54 ms in batches of 8, 16 or 32, with logits equal to the last bit. A batch
would save nothing, and without one the result of a face cannot depend on its neighbours.
"""

from __future__ import annotations

import numpy as np

from fervid.emotion.crops import as_network_input
from fervid.emotion.model import TFLITE, ModelInfo
from fervid.errors import ModelError
from fervid.runtime.litert import open_network


class LiteRTClassifier:
    """One interpreter, for one thread of the caller; `num_threads` are its own."""

    def __init__(self, info: ModelInfo, *, batch_size: int = 1, num_threads: int = 1) -> None:  # noqa: ARG002
        """`batch_size` is part of the common interface and unused here.

        Raises DependencyMissing without LiteRT, ModelError for a file that is not the network of `info`.
        """
        path = info.folder / TFLITE
        try:
            self._interpreter = open_network(path, num_threads=num_threads)
        except (ValueError, RuntimeError) as problem:
            raise ModelError(f"{path} cannot be opened by LiteRT ({problem}). Export the model again.") from None
        self._input, self._output = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        shapes = [tuple(int(n) for n in tensor["shape"]) for tensor in (*self._input, *self._output)]
        expected = [(1, info.input_side_px, info.input_side_px, 1), (1, info.n_logits)]
        if shapes != expected:
            raise ModelError(
                f"{path} has the input and output shapes {shapes}, expected {expected}. Export the model again."
            )
        self.info = info

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Crops uint8 (N, S, S) -> logits float32 (N, C); N may be 0."""
        faces = as_network_input(crops)
        logits = np.empty((len(faces), self.info.n_logits), np.float32)
        for i in range(len(faces)):
            self._interpreter.set_tensor(self._input[0]["index"], faces[i : i + 1])
            self._interpreter.invoke()
            logits[i] = self._interpreter.get_tensor(self._output[0]["index"])[0]
        return logits
