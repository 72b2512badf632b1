"""Seconds of one step of training, forward and backward, of the largest cell of NAS-Bench-201, on one core.

    python benchmarks/training_pass.py [--batch 16] [--repeats 5]

Cell 333333 has a convolution of 3x3 on every edge: 220 million multiply-accumulates an image. Goal: well under two
seconds at a batch of 16.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch.nn import functional

from netwright.core.task import TaskSpec
from netwright.networks.build import build
from netwright.spaces.catalog.nasbench201 import decisions_of, nasbench201
from netwright.spaces.shapes import plan

TASK = TaskSpec(inputs=(3, 32, 32), labels=tuple("0123456789"), mean=(0.5,) * 3, std=(0.25,) * 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5, help="steps after the first; their median is shown")
    given = parser.parse_args()
    torch.set_num_threads(1)
    architecture = nasbench201(TASK).replay(decisions_of("333333")).architecture
    assert architecture is not None
    network = build(plan(architecture, TASK), TASK, seed=0).train()
    images = torch.randint(0, 256, (given.batch, *TASK.inputs), dtype=torch.uint8)
    labels = torch.randint(0, TASK.outputs, (given.batch,))
    first, *later = [step(network, images, labels) for _ in range(1 + given.repeats)]
    print(f"torch {torch.__version__}, batch {given.batch}, one thread, CPU seconds")
    print(f"first {first:.2f}, then {statistics.median(later):.2f} (median of {given.repeats})")


def step(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """CPU seconds of one forward and backward pass."""
    began = time.process_time()
    network.zero_grad()
    functional.cross_entropy(network(images), labels).backward()
    return time.process_time() - began


if __name__ == "__main__":
    main()
