"""How the named networks are built, from a standardised input (N, S, S, 1) to logits (N, C). Knows no training.

Convolutions before a batch norm have no bias and start from He et al.'s normal distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NORM = {"momentum": 0.9, "epsilon": 1e-5}  # Keras's defaults (0.99, 1e-3) follow too slowly in runs of few epochs


def residual(x: Any, n_classes: int, *, width: int, blocks: int) -> Any:
    """A small residual network: 3x3 stem, four stages of basic blocks, global average pooling.

    After He et al., "Identity Mappings in Deep Residual Networks" (2016), with the pooled shortcut of He et al.,
    "Bag of Tricks" (2019).
    """
    from keras import layers

    x = layers.ReLU()(_conv_norm(x, width, 3, 1, "stem"))
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
                shortcut = _conv_norm(shortcut, filters, 1, 1, f"{name}_shortcut")
            y = layers.ReLU()(_conv_norm(x, filters, 3, stride, f"{name}_a"))
            y = _conv_norm(y, filters, 3, 1, f"{name}_b")
            x = layers.ReLU()(layers.Add(name=f"{name}_add")([shortcut, y]))
    return _head(layers.GlobalAveragePooling2D(name="pool")(x), n_classes, dropout=0.3)


def conv4(
    x: Any,
    n_classes: int,
    *,
    widths: Sequence[int],
    dense: Sequence[int],
    kernels: Sequence[int] = (3, 3, 3, 3),
    dropout: float,
    dense_dropout: float,
) -> Any:
    """Four times convolution, batch norm, ReLU, dropout, max pooling; then fully connected layers, each normalised."""
    from keras import layers

    for i, (filters, kernel) in enumerate(zip(widths, kernels, strict=True)):
        x = layers.ReLU()(_conv_norm(x, filters, kernel, 1, f"conv{i + 1}"))
        x = layers.MaxPooling2D(2)(layers.Dropout(dropout, name=f"conv{i + 1}_dropout")(x))
    x = layers.Flatten()(x)
    *hidden, last = dense
    for i, units in enumerate(hidden):
        x = _dense_norm(x, units, f"dense{i + 1}")
        x = layers.Dropout(dense_dropout, name=f"dense{i + 1}_dropout")(x)
    return _head(_dense_norm(x, last, f"dense{len(dense)}"), n_classes, dropout=dense_dropout)


def blocks38(x: Any, n_classes: int) -> Any:
    """38 layers, in the manner of a published network that is not public itself: blocks A and B and a dense block.

    A: convolution, norm, ReLU, twice, then pooling and dropout (8 layers). B: convolution, norm, ReLU, dropout (4).
    """
    from keras import layers

    for i, (kind, filters) in enumerate((("A", 32), ("A", 64), ("B", 128), ("A", 128), ("B", 256))):
        for part in range(2 if kind == "A" else 1):
            x = layers.ReLU()(_conv_norm(x, filters, 3, 1, f"block{i + 1}_{part + 1}"))
        if kind == "A":
            x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(0.25, name=f"block{i + 1}_dropout")(x)
    return _head(_dense_norm(layers.Flatten()(x), 256, "dense1"), n_classes, dropout=0.5)


def vgg(x: Any, n_classes: int) -> Any:
    """Four stages of two 3x3 convolutions and two dense layers of 1,024, after Simonyan and Zisserman (2015)."""
    from keras import layers

    for stage, filters in enumerate((64, 128, 256, 512)):
        for part in range(2):
            x = layers.ReLU()(_conv_norm(x, filters, 3, 1, f"stage{stage + 1}_{part + 1}"))
        x = layers.MaxPooling2D(2)(x)
    x = _dense_norm(layers.Flatten()(x), 1024, "dense1")
    x = layers.Dropout(0.2, name="dense1_dropout")(x)
    return _head(_dense_norm(x, 1024, "dense2"), n_classes, dropout=0.2)


def mini_xception(x: Any, n_classes: int) -> Any:
    """Two convolutions and four residual modules of separable ones (16 to 128), after Arriaga et al. (2017)."""
    from keras import layers

    def separable(y: Any, filters: int, name: str) -> Any:
        y = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(y)
        return layers.BatchNormalization(**NORM, name=f"{name}_norm")(y)

    for i in range(2):
        x = layers.Conv2D(8, 3, use_bias=False, kernel_initializer="he_normal", name=f"stem{i + 1}_conv")(x)
        x = layers.ReLU()(layers.BatchNormalization(**NORM, name=f"stem{i + 1}_norm")(x))
    for i, filters in enumerate((16, 32, 64, 128)):
        shortcut = _conv_norm(x, filters, 1, 2, f"module{i + 1}_shortcut")
        y = layers.ReLU()(separable(x, filters, f"module{i + 1}_a"))
        y = layers.MaxPooling2D(3, strides=2, padding="same")(separable(y, filters, f"module{i + 1}_b"))
        x = layers.Add()([shortcut, y])
    x = layers.Conv2D(n_classes, 3, padding="same", name="logits_conv")(x)
    return layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)


def transfer(x: Any, n_classes: int, *, backbone: str) -> Any:
    """A `keras.applications` backbone without its top, on the gray face in three channels. Randomly initialised."""
    import keras
    from keras import layers

    colour = layers.Concatenate(name="three_channels")([x, x, x])
    body = getattr(keras.applications, backbone)(include_top=False, weights=None, input_shape=(*x.shape[1:3], 3))
    return _head(layers.GlobalAveragePooling2D(name="pool")(body(colour)), n_classes, dropout=0.3)


def _conv_norm(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    from keras import layers

    x = layers.Conv2D(
        filters, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(**NORM, name=f"{name}_norm")(x)


def _dense_norm(x: Any, units: int, name: str) -> Any:
    from keras import layers

    x = layers.Dense(units, use_bias=False, kernel_initializer="he_normal", name=name)(x)
    return layers.ReLU()(layers.BatchNormalization(**NORM, name=f"{name}_norm")(x))


def _head(x: Any, n_classes: int, *, dropout: float) -> Any:
    from keras import layers

    return layers.Dense(n_classes, dtype="float32", name="logits")(layers.Dropout(dropout, name="dropout")(x))
