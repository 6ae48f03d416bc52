"""fervid's own face finder: a network that `fervid train-finder` wrote, in LiteRT."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from pydantic import Field

from fervid.detect.finder_network import STRIDE_PX, tflite_network
from fervid.detect.heat_map import HeatMapDetector
from fervid.detect.options import DetectorOptions
from fervid.errors import ConfigError

Weights = list[tuple[np.ndarray, np.ndarray]]
"""Kernel (out, k, k, in) and bias (out,) of each convolution."""


class FinderOptions(DetectorOptions):
    """A face finder of `fervid train-finder`, with the user's weights."""

    model_path: str | None = Field(
        default=None, description="the weights, a finder.npz that `fervid train-finder` wrote"
    )
    score_threshold: float | None = Field(
        default=None, gt=0, lt=1, description="least probability of a face's centre; unset, that of the file"
    )
    nms_threshold: float = Field(default=0.3, ge=0, le=1, description="boxes whose IoU is higher are one face")


# Decision DET-12.
class FinderNetwork(HeatMapDetector):
    """The network with given weights. Raises ValueError or StopIteration for those of another network."""

    stride_px = STRIDE_PX

    def __init__(self, weights: Weights, *, score_threshold: float, nms_threshold: float = 0.3) -> None:
        super().__init__(
            lambda height, width: tflite_network(iter(weights), height, width),
            score_threshold=score_threshold,
            nms_threshold=nms_threshold,
        )


class FinderDetector(FinderNetwork):
    """Faces of any pose by a network of fervid's own training. Needs a `finder.npz` file."""

    Options = FinderOptions

    def __init__(
        self, *, model_path: str | None = None, score_threshold: float | None = None, nms_threshold: float = 0.3
    ) -> None:
        if not model_path or not Path(model_path).is_file():
            raise ConfigError(
                f"the finder detector needs its weights (detect.finder.model_path = {model_path!r}). "
                "Train it with `fervid train-finder` and give the path of finder.npz."
            )
        try:
            weights, threshold = read_finder(Path(model_path).read_bytes())
            super().__init__(weights, score_threshold=score_threshold or threshold, nms_threshold=nms_threshold)
        except (OSError, ValueError, KeyError, EOFError, StopIteration, zipfile.BadZipFile) as problem:
            raise ConfigError(
                f"{model_path} is not a finder that this version of fervid reads ({problem}). "
                "Train it again with `fervid train-finder`."
            ) from None


def write_finder(weights: Weights, score_threshold: float) -> bytes:
    """The content of a `finder.npz`: weights in half precision."""
    file = io.BytesIO()
    arrays = {f"kernel_{i}": kernel.astype(np.float16) for i, (kernel, _) in enumerate(weights)}
    arrays |= {f"bias_{i}": bias.astype(np.float32) for i, (_, bias) in enumerate(weights)}
    np.savez_compressed(file, allow_pickle=False, score_threshold=np.float32(score_threshold), **arrays)
    return file.getvalue()


def read_finder(content: bytes) -> tuple[Weights, float]:
    """Weights, and the score that a face needs. Raises ValueError, KeyError or BadZipFile for another file."""
    with np.load(io.BytesIO(content)) as stored:
        n = sum(name.startswith("kernel_") for name in stored.files)
        weights = [(stored[f"kernel_{i}"].astype(np.float32), stored[f"bias_{i}"]) for i in range(n)]
        return weights, float(stored["score_threshold"])
