"""Small ONNX models of known size for measuring."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def convolutions(width: int, depth: int, side: int) -> bytes:
    """`depth` 3x3 convolutions of `width` channels on uint8 images (3, side, side), then the mean."""
    generator = np.random.default_rng(0)
    nodes = [helper.make_node("Cast", ["images"], ["x0"], to=TensorProto.FLOAT)]
    tensors, channels = [], 3
    for index in range(depth):
        weight = generator.normal(0, 0.05, (width, channels, 3, 3)).astype(np.float32)
        tensors.append(numpy_helper.from_array(weight, f"w{index}"))
        nodes.append(helper.make_node("Conv", [f"x{index}", f"w{index}"], [f"x{index + 1}"], pads=[1, 1, 1, 1]))
        channels = width
    nodes.append(helper.make_node("GlobalAveragePool", [f"x{depth}"], ["logits"]))
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 3, side, side])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", width, 1, 1])
    graph = helper.make_graph(nodes, "convolutions", [images], [logits], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()
