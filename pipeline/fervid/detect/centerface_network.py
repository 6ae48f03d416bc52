"""CenterFace's layers as a TFLite network for gray images. Knows its structure and the order of its weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fervid.base.opencv import cv2
from fervid.runtime.tflite import Layer, NetworkWriter

BLOCKS = ((6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Inverted residual blocks after the first (Sandler et al., "MobileNetV2", 2018): expansion, channels, how many, and
the stride of the first of them."""
SIDE_CHANNELS = 96, 32, 24
"""Whose last blocks are added on the way up (Lin et al., "Feature Pyramid Networks", 2017)."""
BATCH_NORM_EPSILON = 0.001


def gray_network(weights: np.ndarray, height: int, width: int) -> bytes:
    """A TFLite file: float32 (1, height, width, 1) of levels 0 to 255 -> heat, size, offset and landmarks.

    `weights` uint8 (n,) is the published ONNX file; both sides are multiples of 32. The outputs are float32
    (1, height / 4, width / 4, 1, 2, 2 and 10). The first layer's weights for red, green and blue are summed, which in
    gray is the same.
    """
    constants = _constants(weights)
    writer = NetworkWriter(height, width, 1)

    def convolution(before: Layer, *, stride: int = 1, relu: bool = True) -> Layer:
        kernel, bias = next(constants)
        return writer.convolution(before, kernel.transpose(0, 2, 3, 1), bias, stride=stride, relu=relu)

    def depthwise(before: Layer, *, stride: int = 1) -> Layer:
        kernel, bias = next(constants)
        return writer.depthwise(before, kernel.transpose(1, 2, 3, 0), bias, stride=stride, relu=True)

    def twice_as_large(before: Layer) -> Layer:
        """A transposed convolution of 2 x 2 with stride 2, as an ordinary one whose channels become pixels."""
        (kernel,) = next(constants)  # (in, out, 2, 2)
        mean, variance, scale, shift = next(constants)
        factor = scale / np.sqrt(variance + BATCH_NORM_EPSILON)
        kernel = (kernel * factor[:, None, None]).transpose(2, 3, 1, 0).reshape(-1, 1, 1, kernel.shape[0])
        bias = np.tile(shift - mean * factor, 4)
        return writer.depth_to_space(writer.convolution(before, kernel, bias, relu=True))

    kernel, bias = next(constants)
    gray_kernel = kernel.sum(axis=1, keepdims=True).transpose(0, 2, 3, 1)
    layer = writer.convolution(writer.input, gray_kernel, bias, stride=2, relu=True)
    layer = convolution(depthwise(layer), relu=False)
    sides = {}
    for expansion, channels, count, first_stride in BLOCKS:
        for i in range(count):
            stride = first_stride if i == 0 else 1
            inner = depthwise(convolution(layer), stride=stride)
            if inner.channels != expansion * layer.channels:
                raise ValueError(f"a block of {inner.channels} channels where {expansion * layer.channels} belong")
            block = convolution(inner, relu=False)
            layer = writer.add(layer, block) if block.shape == layer.shape else block
        sides[channels] = layer
    layer = convolution(layer)
    for channels in SIDE_CHANNELS:
        layer = twice_as_large(layer)
        layer = writer.add(layer, convolution(sides[channels]))
    layer = convolution(layer)
    heat = writer.sigmoid(convolution(layer, relu=False))
    return writer.content([heat, *(convolution(layer, relu=False) for _ in range(3))])


def _constants(weights: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """The arrays of each layer that has some, in the order of the layers; vectors as (n,)."""
    network = cv2.dnn.readNetFromONNX(weights)
    for name in network.getLayerNames():
        blobs = network.getLayer(network.getLayerId(name)).blobs
        if blobs:
            yield tuple(blob if blob.ndim == 4 else blob.reshape(-1) for blob in blobs)
