"""A small data set and a small network for tests of the training loop: scikit-learn's digits, 8x8 grey images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from netwright.core.task import TaskSpec


@dataclass
class Small:
    """Images in memory with their splits."""

    images: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    split: np.ndarray[Any, Any]
    task: TaskSpec

    def indices(self, part: str) -> np.ndarray[Any, Any]:
        return np.flatnonzero(self.split == ("train", "validation", "test").index(part))


def digits(images: int = 1797) -> Small:
    """Digits as uint8, a fifth for validation and a fifth for test."""
    loaded = load_digits()
    pixels = (loaded.images[:images, :, :, None] * 15.9).astype(np.uint8)
    split = np.random.default_rng(0).choice([0, 0, 0, 1, 2], len(pixels))
    scaled = pixels[split == 0] / 255
    task = TaskSpec((1, 8, 8), tuple("0123456789"), (float(scaled.mean()),), (float(scaled.std()),))
    return Small(pixels, loaded.target[:images].astype(np.int64), split, task)


class Scale(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.float() / 128 - 0.6


def network(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    """About 2,500 parameters, with batch norm and dropout; uint8 in, logits out."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            Scale(),
            nn.Conv2d(1, 12, 3, padding=1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(256, 10),
        )
