"""Answers of a network for many images, in batches gathered from the memory map."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from netwright.core.measurement import Split

UInt8s = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

BATCH = 512


class LabelledImages(Protocol):
    """What training needs of a data set: `data.dataset.Dataset`, or anything like it."""

    @property
    def images(self) -> UInt8s:
        """(images, height, width, channels)"""

    @property
    def labels(self) -> npt.NDArray[np.integer]:
        """(images,) class numbers"""

    def indices(self, part: Split, /) -> npt.NDArray[np.integer]:
        """Numbers of the images in `train`, `validation` or `test`."""


def gather(images: UInt8s, indices: npt.NDArray[np.integer], device: torch.device) -> Tensor:
    """Chosen images as (batch, channels, height, width) `uint8`, laid out channels-last as they are stored."""
    return torch.from_numpy(np.ascontiguousarray(images[indices])).permute(0, 3, 1, 2).to(device)


@torch.inference_mode()
def logits(module: nn.Module, images: UInt8s, indices: npt.NDArray[np.integer], *, device: str = "cpu") -> Floats:
    """Outputs (indices, classes) in evaluation mode and full precision; the module's mode is left as it was."""
    training, place = module.training, torch.device(device)
    module.eval()
    parts = [
        module(gather(images, indices[first : first + BATCH], place)).float().cpu().numpy()
        for first in range(0, len(indices), BATCH)
    ]
    module.train(training)
    return np.concatenate(parts)


def softmax(values: npt.NDArray[np.floating]) -> Floats:
    """Probabilities from logits (images, classes)."""
    shifted = values.astype(np.float64) - values.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    probabilities: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities
