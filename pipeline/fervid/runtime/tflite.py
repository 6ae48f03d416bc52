"""Write a small convolutional network as a TFLite file, layer by layer. Knows no network.

For networks whose weights come in another format: LiteRT, which scores the faces, then runs them too, and several times
as fast on a CPU as `cv2.dnn` (benchmarks/face_network.py).

The numbers below are those of the published schema (`schema.fbs`, version 3): for each table its fields in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np

ADD, CONV_2D, DEPTHWISE_CONV_2D, DEPTH_TO_SPACE, LOGISTIC, PAD = 0, 3, 4, 5, 14, 34
"""Operators (`BuiltinOperator`)."""
OPTIONS = {ADD: 11, CONV_2D: 1, DEPTHWISE_CONV_2D: 2, DEPTH_TO_SPACE: 94, LOGISTIC: 0, PAD: 22}
"""For each operator the kind of its table of options (`BuiltinOptions`)."""
SAME, VALID = 0, 1
NO_ACTIVATION, RELU = 0, 1
FLOAT32, INT32 = 0, 2
SCHEMA_VERSION, FILE_IDENTIFIER = 3, b"TFL3"
ALIGNMENT_BYTES = 16
ROOM_BYTES = 1 << 18
"""Space for everything but the constants."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The output of a layer: the number of its tensor, and its shape (1, height, width, channels)."""

    tensor: int
    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        return self.shape[3]


@dataclass(frozen=True, slots=True)
class _Operation:
    operator: int
    inputs: tuple[int, ...]
    output: int
    options: tuple[tuple[str, int], ...] = ()
    """Fields of its table of options: kind ("Int8" or "Int32") and value."""


class NetworkWriter:
    """Collects layers from the input on; `content` is the file. Arrays are as TFLite has them: channels last."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        self._tensors: list[tuple[tuple[int, ...], int, bytes]] = []
        self._operations: list[_Operation] = []
        shape = 1, height, width, channels
        self.input = Layer(self._tensor(shape), shape)

    def convolution(
        self, before: Layer, weights: np.ndarray, bias: np.ndarray, *, stride: int = 1, relu: bool = False
    ) -> Layer:
        """Weights float32 (out, k, k, in), padded with zeros by k // 2 on every side; bias float32 (out,)."""
        options = (("Int32", stride), ("Int32", stride), ("Int8", RELU if relu else NO_ACTIVATION))
        return self._convolved(CONV_2D, before, weights, bias, stride, options, channels=weights.shape[0])

    def depthwise(
        self, before: Layer, weights: np.ndarray, bias: np.ndarray, *, stride: int = 1, relu: bool = False
    ) -> Layer:
        """Weights float32 (1, k, k, channels), padded with zeros by k // 2 on every side; bias float32 (channels,)."""
        options = (("Int32", stride), ("Int32", stride), ("Int32", 1), ("Int8", RELU if relu else NO_ACTIVATION))
        return self._convolved(DEPTHWISE_CONV_2D, before, weights, bias, stride, options, channels=weights.shape[3])

    def add(self, one: Layer, other: Layer) -> Layer:
        """The sum of two layers of the same shape."""
        return self._append(ADD, (one.tensor, other.tensor), one.shape, (("Int8", NO_ACTIVATION),))

    def depth_to_space(self, before: Layer) -> Layer:
        """(1, h, w, 4 n) -> (1, 2 h, 2 w, n): the four groups of channels become the pixels of a 2 x 2 square."""
        _, height, width, channels = before.shape
        shape = 1, 2 * height, 2 * width, channels // 4
        return self._append(DEPTH_TO_SPACE, (before.tensor,), shape, (("Int32", 2),))

    def sigmoid(self, before: Layer) -> Layer:
        return self._append(LOGISTIC, (before.tensor,), before.shape, ())

    def content(self, outputs: Sequence[Layer]) -> bytes:
        """The file: the network from its input to `outputs`, in that order."""
        # As large as it will be: growing would copy it again and again.
        builder = flatbuffers.Builder(sum(len(content) for _, _, content in self._tensors) + ROOM_BYTES)
        # Buffer 0 is empty by convention: that of all tensors without a constant value.
        contents = [b"", *(content for _, _, content in self._tensors if content)]
        buffers = [self._buffer(builder, content) for content in contents]
        tensors, n_buffers = [], 0
        for shape, kind, content in self._tensors:
            n_buffers += bool(content)
            fields = [("UOffsetTRelative", _ints(builder, shape)), ("Int8", kind)]
            tensors.append(_table(builder, [*fields, ("Uint32", n_buffers if content else 0)]))
        operators = sorted({operation.operator for operation in self._operations})
        operations = [self._operation(builder, operation, operators) for operation in self._operations]
        codes = [
            _table(builder, [("Int8", code), ("UOffsetTRelative", 0), ("Int32", 1), ("Int32", code)])
            for code in operators
        ]
        graph = [
            _offsets(builder, tensors),
            _ints(builder, [self.input.tensor]),
            _ints(builder, [layer.tensor for layer in outputs]),
            _offsets(builder, operations),
        ]
        graphs = _offsets(builder, [_table(builder, [("UOffsetTRelative", offset) for offset in graph])])
        parts = _offsets(builder, codes), graphs, 0, _offsets(builder, buffers)
        model = _table(builder, [("Uint32", SCHEMA_VERSION), *(("UOffsetTRelative", offset) for offset in parts)])
        builder.Finish(model, file_identifier=FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _convolved(
        self,
        operator: int,
        before: Layer,
        weights: np.ndarray,
        bias: np.ndarray,
        stride: int,
        options: tuple[tuple[str, int], ...],
        *,
        channels: int,
    ) -> Layer:
        margin = weights.shape[1] // 2
        _, height, width, _ = before.shape
        padding = SAME
        if stride > 1 and margin:
            # SAME would pad an even side by less at its beginning than at its end.
            before, padding = self._padded(before, margin), VALID
        constants = self._constant(weights.astype(np.float32)), self._constant(bias.astype(np.float32))
        shape = 1, -(-height // stride), -(-width // stride), channels
        inputs = (before.tensor, *constants)
        return self._append(operator, inputs, shape, (("Int8", padding), *options))

    def _padded(self, before: Layer, margin: int) -> Layer:
        _, height, width, channels = before.shape
        margins = self._constant(np.array([[0, 0], [margin, margin], [margin, margin], [0, 0]], np.int32))
        shape = 1, height + 2 * margin, width + 2 * margin, channels
        return self._append(PAD, (before.tensor, margins), shape, ())

    def _append(
        self, operator: int, inputs: tuple[int, ...], shape: tuple[int, ...], options: tuple[tuple[str, int], ...]
    ) -> Layer:
        layer = Layer(self._tensor(shape), shape)
        self._operations.append(_Operation(operator, inputs, layer.tensor, options))
        return layer

    def _constant(self, array: np.ndarray) -> int:
        return self._tensor(array.shape, INT32 if array.dtype == np.int32 else FLOAT32, array.tobytes())

    def _tensor(self, shape: tuple[int, ...], kind: int = FLOAT32, content: bytes = b"") -> int:
        self._tensors.append((shape, kind, content))
        return len(self._tensors) - 1

    @staticmethod
    def _buffer(builder: Any, content: bytes) -> int:
        if not content:
            return _table(builder, [])
        builder.StartVector(1, len(content), ALIGNMENT_BYTES)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        return _table(builder, [("UOffsetTRelative", builder.EndVector())])

    @staticmethod
    def _operation(builder: Any, operation: _Operation, operators: list[int]) -> int:
        fields: list[tuple[str, int]] = [
            ("Uint32", operators.index(operation.operator)),
            ("UOffsetTRelative", _ints(builder, operation.inputs)),
            ("UOffsetTRelative", _ints(builder, [operation.output])),
        ]
        if OPTIONS[operation.operator]:
            options = _table(builder, list(operation.options))
            fields += [("Uint8", OPTIONS[operation.operator]), ("UOffsetTRelative", options)]
        return _table(builder, fields)


def _table(builder: Any, fields: list[tuple[str, int]]) -> int:
    """A table of these fields (kind, value) in the schema's order; a value of 0, the reader's default, is left out."""
    builder.StartObject(len(fields))
    for slot, (kind, value) in enumerate(fields):
        getattr(builder, f"Prepend{kind}Slot")(slot, value, 0)
    return int(builder.EndObject())


def _offsets(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _ints(builder: Any, values: Sequence[int]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependInt32(value)
    return int(builder.EndVector())
