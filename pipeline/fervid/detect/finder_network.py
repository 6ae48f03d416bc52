"""The layers of fervid's own face finder, whoever builds them: the training in Keras, or the analysis as a TFLite file.

A small residual network from the image down to a 32nd of its side and back up to an eighth, where each cell says
whether a face's centre is in it, and of that face the size, the centre and five points ("CenterNet": Zhou et al.,
"Objects as Points", 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from fervid.runtime.tflite import Layer, NetworkWriter

STRIDE_PX = 8
MULTIPLE_PX = 32
STEM = 16
DEPTHS = ((32, 1), (64, 2), (72, 2), (88, 2))
"""Channels at a quarter, an eighth, a 16th and a 32nd of the side, and how many residual layers there."""
OUTPUTS = (1, 2, 2, 10)
"""Channels of the outputs: heat; logarithm of height and width in cells; offset (y, x) of the centre from that of the
cell, in cells; five points (y, x) as shares of the box."""


class Builder(Protocol):
    """Makes layers, each from the one before it, in the order in which it is called."""

    def convolution(self, before: Any, channels: int, *, side: int = 3, stride: int = 1, relu: bool = True) -> Any: ...

    def add(self, one: Any, other: Any) -> Any: ...

    def twice_as_large(self, before: Any) -> Any:
        """(h, w, 4 n) -> (2 h, 2 w, n)."""
        ...


def build(make: Builder, image: Any) -> list[Any]:
    """The outputs for an image (h, w, 1) of levels 0 to 255, the heat without its sigmoid."""
    layer = make.convolution(image, STEM, stride=2)
    levels = []
    for channels, n_residual in DEPTHS:
        layer = make.convolution(layer, channels, stride=2)
        for _ in range(n_residual):
            layer = make.add(layer, make.convolution(layer, channels))
        levels.append(layer)
    for (channels, _), side in zip(DEPTHS[2:0:-1], levels[2:0:-1], strict=True):
        larger = make.twice_as_large(make.convolution(layer, 4 * channels, side=1))
        layer = make.add(larger, make.convolution(side, channels, side=1))
    layer = make.convolution(layer, DEPTHS[1][0])
    return [make.convolution(layer, channels, side=1, relu=False) for channels in OUTPUTS]


class _TFLiteBuilder:
    def __init__(self, writer: NetworkWriter, weights: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        self.add: Callable[[Layer, Layer], Layer] = writer.add
        self.twice_as_large: Callable[[Layer], Layer] = writer.depth_to_space
        self._writer, self._weights = writer, weights

    def convolution(self, before: Layer, channels: int, *, side: int = 3, stride: int = 1, relu: bool = True) -> Layer:
        kernel, bias = next(self._weights)
        if kernel.shape != (channels, side, side, before.channels) or bias.shape != (channels,):
            raise ValueError(f"weights {kernel.shape} where {(channels, side, side, before.channels)} belong")
        return self._writer.convolution(before, kernel, bias, stride=stride, relu=relu)


def tflite_network(weights: Iterator[tuple[np.ndarray, np.ndarray]], height: int, width: int) -> bytes:
    """A TFLite file: float32 (1, height, width, 1) of levels 0 to 255 -> float32 (1, height / 8, width / 8, n) for each
    of `OUTPUTS`, the heat as a probability.

    `weights` are kernel (out, k, k, in) and bias (out,) of each convolution in order. Raises ValueError for others.
    """
    writer = NetworkWriter(height, width, 1)
    heat, *others = build(_TFLiteBuilder(writer, weights), writer.input)
    return writer.content([writer.sigmoid(heat), *others])
