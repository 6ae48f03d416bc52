"""The named networks, and those of model folders. Each maps (N, S, S, 1) in 0..1 to logits (N, C); none knows data.

One line each in NETWORKS; `architectures` builds them. `fervid models networks` prints their sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fervid.emotion.model import FERPLUS, FERPLUS_EMOTIONS, Head, Member, ModelInfo
from fervid.emotion.networks.architectures import blocks38, conv4, mini_xception, residual, transfer, vgg
from fervid.errors import ConfigError

FEATURES = "dropout"
"""The layer whose output the heads of a network share."""

NETWORKS: dict[str, Callable[[Any, int], Any]] = {
    "res-nano": partial(residual, width=8, blocks=1),  # to try out training, and for tests
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


def add_ferplus_head(model: Any, n_classes: int = len(FERPLUS_EMOTIONS)) -> Any:
    """`model` with a second head on the same features: logits (N, C) become (N, C + n_classes), its own first.

    The layers and variables of `model` are shared, and those of the head come last. Raises ConfigError for a network
    without the dropout layer that a head is attached to.
    """
    import keras

    if FEATURES not in [layer.name for layer in model.layers]:
        raise ConfigError(f"network {model.name} has no features to attach a second head to.")
    head = keras.layers.Dense(n_classes, dtype="float32", name="ferplus_logits")(model.get_layer(FEATURES).output)
    both = keras.layers.Concatenate(dtype="float32", name="heads")([model.output, head])
    return keras.Model(model.input, both, name=model.name)


def build_model(info: ModelInfo) -> Any:
    """The untrained network of a model folder: the logits of all heads side by side, in the order of `info.heads`.

    Raises ConfigError for a member that is not in NETWORKS.
    """
    models = [_build_member(member, info) for member in info.members]
    return models[0] if len(models) == 1 else average_members(models, info.members, info.heads)


def average_members(models: Sequence[Any], members: Sequence[Member], heads: Sequence[Head]) -> Any:
    """One network of several, sharing their variables: each head's logits are the mean over the members that have it.

    Logits are averaged, not probabilities, for the reason that `tta` gives.
    """
    import keras

    faces = keras.Input(models[0].input_shape[1:], name="faces")
    parts: dict[str, list[Any]] = {head.name: [] for head in heads}
    for i, (model, member) in enumerate(zip(models, members, strict=True)):
        logits = keras.Model(model.input, model.output, name=f"member{i + 1}")(faces)
        first = 0
        for head in heads:
            if head.name in member.heads:
                parts[head.name].append(logits[:, first : first + len(head.labels)])
                first += len(head.labels)
    means = [
        keras.layers.Average(dtype="float32", name=f"{name}_mean")(logits) if len(logits) > 1 else logits[0]
        for name, logits in parts.items()
    ]
    outputs = keras.layers.Concatenate(dtype="float32", name="heads")(means) if len(means) > 1 else means[0]
    return keras.Model(faces, outputs, name="ensemble")


def member_models(model: Any, info: ModelInfo) -> list[Any]:
    """The networks of the members within a network that `build_model` made."""
    if len(info.members) == 1:
        return [model]
    return [model.get_layer(f"member{i + 1}") for i in range(len(info.members))]


def _build_member(member: Member, info: ModelInfo) -> Any:
    model = build_network(
        member.network, n_classes=len(info.labels), side_px=info.input_side_px, mean=member.mean, std=member.std
    )
    if FERPLUS not in member.heads:
        return model
    return add_ferplus_head(model, len(next(head.labels for head in info.heads if head.name == FERPLUS)))


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


def load_initial_weights(model: Any, trained: Any, name: str) -> None:
    """Give `model` the weights of `trained`, the network of the model `name`.

    Raises ConfigError when the two are not of the same shape.
    """
    expected = [tuple(weight.shape) for weight in model.weights]
    if [tuple(weight.shape) for weight in trained.weights] != expected:
        raise ConfigError(
            f"initial_model {name!r} is {trained.name} with {trained.output_shape[-1]} logits, expected "
            f"{model.name} with {model.output_shape[-1]}. Use the same network and the same heads."
        )
    model.set_weights(trained.get_weights())


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
