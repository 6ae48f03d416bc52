"""The finder's network in Keras, its loss, and its weights as the analysis takes them. Knows nothing of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from fervid.detect.finder_network import build
from fervid.train.fit.stepper import to_array

NORM_EPSILON = 1e-3
FACE_SHARE = 0.02
"""How likely a face's centre is in a cell before anything was learned."""
HEAT, WEIGHT, NEAR, VALUES = 0, 1, 2, 3
"""Channels of the targets: heat, its weight (0 where the teacher is unsure), how much the values count, the values."""
VALUES_WEIGHT = 0.5
VALUE_WEIGHTS = np.array([1.0] * 4 + [0.2] * 10, np.float32)
"""Size and offset count fully, each of the ten coordinates of points a fifth."""


class _KerasBuilder:
    """Convolutions with batch normalisation instead of a bias where a ReLU follows."""

    def __init__(self) -> None:
        self.convolutions: list[tuple[Any, Any | None]] = []

    def convolution(self, before: Any, channels: int, *, side: int = 3, stride: int = 1, relu: bool = True) -> Any:
        from keras import layers

        margin = side // 2
        padded = layers.ZeroPadding2D(margin)(before) if margin else before
        made = layers.Conv2D(channels, side, stride, use_bias=not relu, kernel_initializer="he_normal")
        layer = made(padded)
        norm = layers.BatchNormalization(momentum=0.97, epsilon=NORM_EPSILON) if relu else None
        self.convolutions.append((made, norm))
        return layer if norm is None else layers.ReLU()(norm(layer))

    @staticmethod
    def add(one: Any, other: Any) -> Any:
        from keras import layers

        return layers.Add()([one, other])

    @staticmethod
    def twice_as_large(before: Any) -> Any:
        from keras import layers, ops

        def moved(values: Any) -> Any:
            _, height, width, channels = ops.shape(values)
            squares = ops.reshape(values, (-1, height, width, 2, 2, channels // 4))
            return ops.reshape(ops.transpose(squares, (0, 1, 3, 2, 4, 5)), (-1, 2 * height, 2 * width, channels // 4))

        def shape_of(shape: Any) -> Any:
            n, height, width, channels = shape
            return n, height and 2 * height, width and 2 * width, channels // 4

        return layers.Lambda(moved, output_shape=shape_of)(before)


class FinderModel:
    """The network in training. `model` gives the outputs side by side, (n, h / 8, w / 8, 15)."""

    def __init__(self) -> None:
        import keras

        builder = _KerasBuilder()
        image = keras.Input((None, None, 1))
        outputs = build(builder, keras.layers.Rescaling(1 / 255)(image))
        self.model = keras.Model(image, keras.layers.Concatenate()(outputs))
        self._convolutions = builder.convolutions
        heat = builder.convolutions[-len(outputs)][0]
        heat.bias.assign(np.full(1, np.log(FACE_SHARE / (1 - FACE_SHARE)), np.float32))

    def weights(self, averages: dict[int, np.ndarray] | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
        """Kernel float32 (out, k, k, in) and bias (out,) of each convolution, with the normalisation folded in.

        `averages` are values to take instead of a variable's own, by its id.
        """
        averages = averages or {}

        def value(variable: Any) -> np.ndarray:
            return np.asarray(averages[id(variable)] if id(variable) in averages else to_array(variable), np.float64)

        folded: list[tuple[np.ndarray, np.ndarray]] = []
        for made, norm in self._convolutions:
            kernel = value(made.kernel)
            if norm is None:
                bias = value(made.bias)
            else:
                factor = value(norm.gamma) / np.sqrt(value(norm.moving_variance) + NORM_EPSILON)
                kernel, bias = kernel * factor, value(norm.beta) - value(norm.moving_mean) * factor
            if not folded:
                kernel = kernel / 255
            folded.append((kernel.transpose(3, 0, 1, 2).astype(np.float32), bias.astype(np.float32)))
        return folded


def finder_loss(targets: Any, outputs: Any) -> Any:
    """Focal loss of the heat (Law and Deng, "CornerNet", 2018, as in CenterNet), and smooth L1 of the values."""
    from keras import ops

    heat, weight, near = targets[..., HEAT], targets[..., WEIGHT], targets[..., NEAR : NEAR + 1]
    logits = outputs[..., 0]
    sure, unsure = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
    share = ops.clip(ops.sigmoid(logits), 1e-4, 1 - 1e-4)
    is_centre = ops.cast(heat >= 0.999, "float32")
    focal = is_centre * (1 - share) ** 2 * sure + (1 - is_centre) * (1 - heat) ** 4 * share**2 * unsure
    n_faces = ops.maximum(ops.sum(is_centre * weight), 1.0)
    off = ops.abs(targets[..., VALUES:] - outputs[..., 1:])
    smooth = ops.where(off < 0.1, off**2 / 0.2, off - 0.05)
    values = ops.sum(near * smooth * VALUE_WEIGHTS) / ops.maximum(ops.sum(near), 1.0)
    return -ops.sum(focal * weight) / n_faces + VALUES_WEIGHT * values
