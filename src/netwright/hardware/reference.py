"""The reference network: always the same small convolutional ONNX model, so that two measurements have a common foot."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SHAPE = (3, 32, 32)
WIDTHS = (16, 32, 64)


def reference_model() -> tuple[bytes, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """The model and one image (1, 3, 32, 32) for it: three 3x3 convolutions with stride 2, pooling, 10 outputs."""
    generator = np.random.default_rng(0)
    nodes = [helper.make_node("Cast", ["images"], ["x0"], to=TensorProto.FLOAT)]
    tensors = []
    channels = SHAPE[0]
    for index, width in enumerate(WIDTHS):
        weight = generator.normal(0, 1 / np.sqrt(9 * channels), (width, channels, 3, 3)).astype(np.float32)
        tensors.append(numpy_helper.from_array(weight, f"w{index}"))
        inputs, outputs = [f"x{index}", f"w{index}"], [f"c{index}"]
        nodes.append(helper.make_node("Conv", inputs, outputs, strides=[2, 2], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"x{index + 1}"]))
        channels = width
    head = generator.normal(0, 1 / np.sqrt(channels), (10, channels)).astype(np.float32)
    tensors.append(numpy_helper.from_array(head, "head"))
    nodes += [
        helper.make_node("GlobalAveragePool", [f"x{len(WIDTHS)}"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"], axis=1),
        helper.make_node("Gemm", ["features", "head"], ["logits"], transB=1),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *SHAPE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "reference", [images], [logits], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString(deterministic=True), generator.integers(0, 256, (1, *SHAPE), dtype=np.uint8)
