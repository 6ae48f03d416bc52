"""A network with the inputs and outputs of YuNet that finds bright squares: the real class, no trained weights.

For each cell of strides 8, 16 and 32 YuNet gives a class score, an object score, a box (offset of the centre in cells,
logarithm of the size in cells) and five landmarks. Here both scores are 1 where the cell is bright, on stride 32 alone,
and each box is FACE_PX wide around the middle of its cell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FACE_PX = 64
STRIDES = (8, 16, 32)
WIDTHS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


def write_bright_square_yunet(path: Path) -> Path:
    """Write the network to `path` as ONNX."""
    nodes, constants, outputs = [], [], []
    for name, value in {"minus_level": [-200.0], "shape1": [1, -1, 1], "zero": [0.0]}.items():
        array = np.array(value, np.int64 if name == "shape1" else np.float32)
        constants.append(numpy_helper.from_array(array, name))
    mean = np.full((1, 3, 1, 1), 1 / 3, np.float32)
    constants.append(numpy_helper.from_array(mean, "to_gray"))
    nodes.append(helper.make_node("Conv", ["input", "to_gray"], ["gray"]))
    for stride in STRIDES:
        kernel = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes.append(helper.make_node("AveragePool", ["gray"], [f"cells_{stride}"], **kernel))
        nodes.append(helper.make_node("Add", [f"cells_{stride}", "minus_level"], [f"over_{stride}"]))
        nodes.append(helper.make_node("Sigmoid", [f"over_{stride}"], [f"score_map_{stride}"]))
        source = f"score_map_{stride}" if stride == STRIDES[-1] else f"silent_{stride}"
        if source.startswith("silent"):
            nodes.append(helper.make_node("Mul", [f"score_map_{stride}", "zero"], [source]))
        nodes.append(helper.make_node("Reshape", [source, "shape1"], [f"score_{stride}"]))
        for kind, width in WIDTHS.items():
            value = np.zeros((1, 1, width), np.float32)
            if kind == "bbox":
                value[..., :2] = 0.5
                value[..., 2:] = np.log(FACE_PX / stride)
            output = f"{kind}_{stride}"
            if kind in ("cls", "obj"):
                nodes.append(helper.make_node("Identity", [f"score_{stride}"], [output]))
            else:
                constants.append(numpy_helper.from_array(value, f"{output}_value"))
                constants.append(numpy_helper.from_array(np.zeros((1, 1, width), np.float32), f"{output}_none"))
                nodes.append(helper.make_node("Mul", [f"score_{stride}", f"{output}_none"], [f"{output}_shape"]))
                nodes.append(helper.make_node("Add", [f"{output}_shape", f"{output}_value"], [output]))
            outputs.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, None, width]))
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, None, None])]
    graph = helper.make_graph(nodes, "bright_square_yunet", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
