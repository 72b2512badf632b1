"""CPU milliseconds to make an ONNX file: written from the plan, and by torch.onnx.export, for the same networks.

    python benchmarks/onnx_writing.py [--repeats 5]

Prints one row a catalogue space (its hand-made network). The first call of each way in the process is told apart,
because a trial runs in a process of its own. torch.onnx.export needs onnxscript, which netwright does not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.networks.build import Network, build
from netwright.networks.onnx import to_onnx
from netwright.spaces.catalog import CATALOG, make_space
from netwright.spaces.shapes import plan

TASK = TaskSpec(inputs=(1, 28, 28), labels=tuple("0123456789"), mean=(0.286,), std=(0.353,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="calls after the first; their median is shown")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, median of {repeats}")
    print("| network | parameters | steps | from the plan: first, then | torch.onnx.export: first, then | difference |")
    print("|---|---|---|---|---|---|")
    for name in CATALOG:
        reference = make_space(name, TASK).reference
        if reference is not None and reference.architecture is not None:
            print(row(name, plan(reference.architecture, TASK), repeats), flush=True)


def row(name: str, network_plan: Plan, repeats: int) -> str:
    """One line of the table. The difference is of logits, relative to the largest."""
    network = build(network_plan, TASK).eval()
    weights = network.state_dict()
    written, first, later = timed(lambda: to_onnx(network_plan, TASK, weights), repeats)
    exported, first_torch, later_torch = timed(lambda: by_torch(network), repeats)
    images = np.random.default_rng(0).integers(0, 256, (3, *TASK.inputs), np.uint8)
    ours, theirs = answers(written, images), answers(exported, images)
    difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
    return (
        f"| {name} | {network_plan.parameters:,} | {len(network_plan.steps)} | {first:.1f} ms, {later:.1f} ms "
        f"| {first_torch:,.0f} ms, {later_torch:,.0f} ms | {difference:.0e} |"
    )


def timed(make: Callable[[], bytes], repeats: int) -> tuple[bytes, float, float]:
    """The result, CPU milliseconds of the first call, and the median of later ones."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.process_time()
        content = make()
        seconds.append(time.process_time() - start)
    return content, 1000 * seconds[0], 1000 * statistics.median(seconds[1:])


def by_torch(network: Network) -> bytes:
    """What torch.onnx.export makes of the network, with a free batch dimension, silenced."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (torch.zeros(2, *TASK.inputs, dtype=torch.uint8),),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    content: bytes = program.model_proto.SerializeToString()
    return content


def answers(content: bytes, images: np.ndarray) -> np.ndarray:
    """Logits by onnxruntime."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images})
    return np.asarray(logits)


if __name__ == "__main__":
    main()
