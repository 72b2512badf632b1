"""Augmentation of whole batches as tensors: `uint8` images in, `uint8` images out, every random number from one generator.

Images are (batch, channels, height, width), best as a permuted view of (batch, height, width, channels), which is
channels-last for free.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from netwright.core.errors import CandidateError

LARGEST_SHIFT = 1 / 8
CUTOUT = 0.3
LARGEST_ANGLE = 15.0
MIXUP = 0.2


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to an eighth of its side (at least one pixel); what comes in is the mirrored border."""
    count, _, height, width = images.shape
    rows = _shifted(count, height, generator, images.device)
    columns = _shifted(count, width, generator, images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]  # (batch, height, width, channels)
    return moved.permute(0, 3, 1, 2)


def _shifted(count: int, size: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """For each image the source index of every row (or column), mirrored at both ends. (count, size)"""
    if size == 1:
        return torch.zeros(count, 1, dtype=torch.long, device=device)
    most = max(1, int(size * LARGEST_SHIFT))
    offset = torch.randint(-most, most + 1, (count, 1), generator=generator, device=device)
    source = (torch.arange(size, device=device)[None, :] + offset).abs()
    return size - 1 - (size - 1 - source).abs()


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images left to right."""
    chosen = torch.rand(len(images), generator=generator, device=images.device) < 0.5
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def cutout(images: Tensor, generator: torch.Generator) -> Tensor:
    """Fill a box of 30 % of each side, at a random place that may reach over the border, with the batch's mean."""
    count, _, height, width = images.shape
    rows = _box(count, height, generator, images.device)[:, :, None]
    columns = _box(count, width, generator, images.device)[:, None, :]
    mean = images.float().mean(dim=(0, 2, 3), keepdim=True).round().to(torch.uint8)
    return torch.where((rows & columns)[:, None], mean, images)


def _box(count: int, size: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """True within a random interval of each image's side. (count, size)"""
    length = max(1, round(size * CUTOUT))
    first = torch.randint(-(length // 2), size - length // 2, (count, 1), generator=generator, device=device)
    place = torch.arange(size, device=device)[None, :]
    return (place >= first) & (place < first + length)


def rotate(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn each image by up to 15 degrees either way, bilinear, with the border mirrored outward."""
    count, _, height, width = images.shape
    angle = (torch.rand(count, generator=generator, device=images.device) * 2 - 1) * (LARGEST_ANGLE * torch.pi / 180)
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    ratio = height / width  # the grid is on [-1, 1] in both directions, the turn on square pixels
    turn = torch.stack([torch.stack([cosine, -sine * ratio, zero], 1), torch.stack([sine / ratio, cosine, zero], 1)], 1)
    grid = functional.affine_grid(turn, list(images.shape), align_corners=False)
    turned = functional.grid_sample(images.float(), grid, padding_mode="reflection", align_corners=False)
    return turned.round().clamp(0, 255).to(torch.uint8)


AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "shift": shift,
    "flip": flip,
    "rotate": rotate,
    "cutout": cutout,
}
"""Those that leave labels alone, in the order in which they are applied. `mixup` comes last."""


def mixup(images: Tensor, targets: Tensor, outputs: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend the batch with a shuffled copy of itself by one share from Beta(0.2, 0.2), labels likewise.

    Gives images and soft targets (batch, outputs). Zhang et al. 2018, arXiv 1710.09412.
    """
    share = _beta(MIXUP, generator, images.device)
    other = torch.randperm(len(images), generator=generator, device=images.device)
    values = images.float()
    blended = torch.lerp(values[other], values, share).round().to(torch.uint8)
    soft = functional.one_hot(targets, outputs).float()
    return blended, torch.lerp(soft[other], soft, share)


def _beta(alpha: float, generator: torch.Generator, device: torch.device) -> float:
    """One draw from Beta(alpha, alpha) by Jöhnk's rule: torch's own takes no generator."""
    while True:
        u, v = torch.rand(2, generator=generator, device=device, dtype=torch.float32).double().tolist()
        x, y = u ** (1 / alpha), v ** (1 / alpha)
        if 0 < x + y <= 1:
            return float(x / (x + y))


def augmentation_names(text: str) -> frozenset[str]:
    """Read names joined by "+"; "none" is none. Raises CandidateError that names the recipe's entry."""
    names = frozenset() if text == "none" else frozenset(text.split("+"))
    for name in sorted(names):
        if name not in AUGMENTATIONS and name != "mixup":
            allowed = ", ".join([*AUGMENTATIONS, "mixup", "none"])
            raise CandidateError(f"must join {allowed} by '+', but got {name!r}", "recipe/augment")
    return names


def augment(
    images: Tensor, targets: Tensor, names: frozenset[str], outputs: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Apply the named augmentations, in the order of `AUGMENTATIONS`.

    Targets are class numbers (batch,), or soft (batch, outputs) after mixup.
    """
    for name, change in AUGMENTATIONS.items():
        if name in names:
            images = change(images, generator)
    if "mixup" in names:
        images, targets = mixup(images, targets, outputs, generator)
    return images, targets
