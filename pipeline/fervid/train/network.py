"""The named networks. Each maps (N, S, S, 1) in 0..1 to logits (N, C); none knows of data or training.

One line each in NETWORKS; how they are built stands in `architectures`. `fervid models networks` prints their sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from fervid.errors import ConfigError
from fervid.train.architectures import blocks38, conv4, mini_xception, residual, transfer, vgg

NETWORKS: dict[str, Callable[[Any, int], Any]] = {
    "res-nano": partial(residual, width=8, blocks=1),  # for trying the training stage out, and for tests
    "res-xs": partial(residual, width=24, blocks=1),
    "res-s": partial(residual, width=32, blocks=1),
    "res-m": partial(residual, width=48, blocks=1),
    "res-l": partial(residual, width=48, blocks=2),
    "vgg": vgg,
    "mini-xception": mini_xception,
    "conv4-lite": partial(conv4, widths=(32, 64, 128, 128), dense=(256, 128), dropout=0.25, dense_dropout=0.5),
    "conv4-lite-fc1": partial(conv4, widths=(32, 64, 128, 128), dense=(256,), dropout=0.25, dense_dropout=0.5),
    "conv4-fc2": partial(
        conv4, widths=(64, 128, 512, 512), kernels=(3, 5, 3, 3), dense=(256, 512), dropout=0.25, dense_dropout=0.25
    ),
    "blocks38": blocks38,
    "transfer-vgg16": partial(transfer, backbone="VGG16"),
    "transfer-resnet50": partial(transfer, backbone="ResNet50"),
}


def build_network(name: str, *, n_classes: int, side_px: int = 48, mean: float = 0.5, std: float = 0.25) -> Any:
    """An untrained `keras.Model` by name. `mean` and `std` (of inputs in 0..1) become fixed layer settings.

    Raises ConfigError for a name that is not in NETWORKS.
    """
    if name not in NETWORKS:
        raise ConfigError(f"network {name!r} does not exist. Use one of {', '.join(NETWORKS)}.")
    import keras

    inputs = keras.Input((side_px, side_px, 1), name="faces")
    x = keras.layers.Rescaling(1.0 / std, offset=-mean / std, name="standardise")(inputs)
    return keras.Model(inputs, NETWORKS[name](x, n_classes), name=name)


def load_backbone_weights(model: Any, path: Path) -> None:
    """Load the user's weights file into the backbone of a `transfer-*` network.

    Raises ConfigError when the network has no backbone or the file does not fit it.
    """
    import keras

    backbone = next((layer for layer in model.layers if isinstance(layer, keras.Model)), None)
    if backbone is None:
        raise ConfigError(f"network {model.name} has no backbone for the weights {path}. Use a transfer-* network.")
    try:
        backbone.load_weights(path)
    except (OSError, ValueError) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise ConfigError(
            f"{path} does not fit the backbone {backbone.name} ({reason}). Give its weights without the top, as .h5."
        ) from None


def count_mmacs(model: Any) -> float:
    """Millions of multiply-accumulates of one forward pass (convolutions and dense layers)."""
    import keras

    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += int(count_mmacs(layer) * 1e6)
        elif isinstance(layer, keras.layers.SeparableConv2D):
            _, height, width, _ = layer.output.shape
            kernels = layer.depthwise_kernel.shape.num_elements() + layer.pointwise_kernel.shape.num_elements()
            total += height * width * int(kernels)
        elif isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += height * width * int(layer.kernel.shape.num_elements())
        elif isinstance(layer, keras.layers.Dense):
            total += int(layer.kernel.shape.num_elements())
    return total / 1e6
