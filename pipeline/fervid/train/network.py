"""The named networks. Each maps (N, S, S, 1) in 0..1 to logits (N, C); none knows of data or training.

`res-*` are small residual networks (He et al., "Identity Mappings in Deep Residual Networks", 2016, with the pooled
shortcut of He et al., "Bag of Tricks", 2019): a 3x3 stem, four stages of basic blocks, global average pooling.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fervid.errors import ConfigError

NORM = {"momentum": 0.9, "epsilon": 1e-5}  # Keras's defaults (0.99, 1e-3) follow too slowly in runs of few epochs


def build_network(name: str, *, n_classes: int, side_px: int = 48, mean: float = 0.5, std: float = 0.25) -> Any:
    """An untrained `keras.Model` by name. `mean` and `std` (of inputs in 0..1) become fixed layer settings.

    Raises ConfigError for a name that is not in NETWORKS.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r} does not exist. Use one of {', '.join(NETWORKS)}.")
    import keras

    inputs = keras.Input((side_px, side_px, 1), name="faces")
    x = keras.layers.Rescaling(1.0 / std, offset=-mean / std, name="standardise")(inputs)
    x = NETWORKS[name](x)
    x = keras.layers.Dropout(0.3, name="dropout")(x)
    logits = keras.layers.Dense(n_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name=name)


def count_mmacs(model: Any) -> float:
    """Millions of multiply-accumulates of one forward pass (convolutions and dense layers)."""
    import keras

    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += height * width * int(layer.kernel.shape.num_elements())
        elif isinstance(layer, keras.layers.Dense):
            total += int(layer.kernel.shape.num_elements())
    return total / 1e6


def _residual(x: Any, *, width: int, blocks: int) -> Any:
    import keras
    from keras import layers

    def conv(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
        x = layers.Conv2D(
            filters, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
        )(x)
        return layers.BatchNormalization(**NORM, name=f"{name}_norm")(x)

    x = layers.ReLU()(conv(x, width, 3, 1, "stem"))
    x = layers.MaxPooling2D(2, name="stem_pool")(x)
    for stage in range(4):
        filters = width * 2**stage
        for block in range(blocks):
            name = f"stage{stage + 1}_block{block + 1}"
            stride = 2 if stage > 0 and block == 0 else 1
            shortcut = x
            if stride > 1:
                shortcut = layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(shortcut)
            if shortcut.shape[-1] != filters:
                shortcut = conv(shortcut, filters, 1, 1, f"{name}_shortcut")
            y = layers.ReLU()(conv(x, filters, 3, stride, f"{name}_a"))
            y = conv(y, filters, 3, 1, f"{name}_b")
            x = layers.ReLU()(layers.Add(name=f"{name}_add")([shortcut, y]))
    return keras.layers.GlobalAveragePooling2D(name="pool")(x)


def _conv4(x: Any, *, widths: tuple[int, ...], dense: tuple[int, ...]) -> Any:
    from keras import layers

    for i, filters in enumerate(widths):
        x = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"conv{i + 1}"
        )(x)
        x = layers.ReLU()(layers.BatchNormalization(**NORM)(x))
        x = layers.MaxPooling2D(2)(layers.Dropout(0.25)(x))
    x = layers.Flatten()(x)
    for i, units in enumerate(dense):
        x = layers.Dense(units, use_bias=False, kernel_initializer="he_normal", name=f"dense{i + 1}")(x)
        x = layers.ReLU()(layers.BatchNormalization(**NORM)(x))
        x = layers.Dropout(0.5)(x)
    return x


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "res-nano": partial(_residual, width=8, blocks=1),  # for trying the training stage out, and for tests
    "res-xs": partial(_residual, width=24, blocks=1),
    "res-s": partial(_residual, width=32, blocks=1),
    "conv4-lite": partial(_conv4, widths=(32, 64, 128, 128), dense=(256, 128)),
}
