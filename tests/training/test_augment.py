"""Augmentation: shapes and types stay, labels move only where they must, and each does what its name says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from netwright.core.errors import CandidateError
from netwright.training.augment import AUGMENTATIONS, augment, augmentation_names, cutout, flip, mixup, rotate, shift


def images(count: int = 16, channels: int = 3, height: int = 16, width: int = 24) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    stored = torch.randint(0, 256, (count, height, width, channels), generator=generator, dtype=torch.uint8)
    return stored.permute(0, 3, 1, 2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 24), (3, 1, 64), (1, 5, 1)])
def test_shape_and_type_stay_and_the_seed_decides(name: str, shape: tuple[int, int, int]) -> None:
    batch = images(8, *shape)
    changed = AUGMENTATIONS[name](batch, seeded(4))
    assert changed.shape == batch.shape and changed.dtype == torch.uint8
    assert torch.equal(changed, AUGMENTATIONS[name](batch, seeded(4)))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_batch_is_changed_and_its_source_is_not(name: str) -> None:
    batch = images()
    before = batch.clone()
    assert not torch.equal(AUGMENTATIONS[name](batch, seeded()), batch)
    assert torch.equal(batch, before)


def test_shift_moves_each_image_by_its_own_offset_within_an_eighth() -> None:
    batch = images(64, 1, 16, 16)
    moved = shift(batch, seeded())
    offsets = set()
    for before, after in zip(batch[:, 0], moved[:, 0], strict=True):
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.equal(after[2:-2, 2:-2], before[2 + down : 14 + down, 2 + right : 14 + right])
        ]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) > 10


def test_flip_mirrors_about_half() -> None:
    batch = images(200)
    flipped = flip(batch, seeded())
    mirrored = [torch.equal(after, before.flip(2)) for before, after in zip(batch, flipped, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(batch, flipped, strict=True)]
    assert all(m or k for m, k in zip(mirrored, kept, strict=True))
    assert 60 < sum(mirrored) < 140


def test_cutout_fills_one_box_with_the_mean() -> None:
    batch = torch.full((32, 1, 20, 20), 200, dtype=torch.uint8)
    batch[:16] = 100
    changed = cutout(batch, seeded()) == 150
    areas = changed.flatten(1).sum(1)
    assert areas.max() == 36 and areas.min() >= 9
    for mask in changed[:, 0]:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns


def test_rotate_is_a_turn_on_square_pixels_for_any_shape() -> None:
    """A disc in the middle of a wide image stays a disc where it is."""
    height, width = 33, 65
    y, x = torch.meshgrid(torch.arange(height) - 16.0, torch.arange(width) - 32.0, indexing="ij")
    disc = ((x**2 + y**2).sqrt() < 10).to(torch.uint8) * 255
    turned = rotate(disc.expand(32, 1, height, width), seeded())
    assert (turned.float() - disc.float()).abs().mean() < 3
    bar = ((y.abs() < 3) & (x.abs() < 30)).to(torch.uint8) * 255
    assert (rotate(bar.expand(32, 1, height, width), seeded()).float() - bar.float()).abs().mean() > 10


def test_mixup_blends_images_and_labels_by_one_share() -> None:
    batch = torch.zeros(40, 1, 4, 4, dtype=torch.uint8)
    batch[20:] = 250
    targets = torch.tensor([0] * 20 + [1] * 20)
    for seed in range(20):
        blended, soft = mixup(batch, targets, 3, seeded(seed))
        assert blended.dtype == torch.uint8 and soft.shape == (40, 3)
        torch.testing.assert_close(soft.sum(1), torch.ones(40))
        torch.testing.assert_close(soft[:, 1], blended[:, 0, 0, 0].float() / 250, atol=5e-3, rtol=0)
        assert len(soft[:20, 1].unique()) <= 2


def test_only_mixup_makes_labels_soft() -> None:
    targets = torch.arange(16) % 4
    _, same = augment(images(), targets, augmentation_names("shift+flip+rotate+cutout"), 4, seeded())
    assert torch.equal(same, targets)
    _, soft = augment(images(), targets, augmentation_names("shift+mixup"), 4, seeded())
    assert soft.shape == (16, 4)


def test_names_are_read_and_unknown_ones_refused() -> None:
    assert augmentation_names("none") == frozenset()
    assert augmentation_names("flip+mixup") == {"flip", "mixup"}
    with pytest.raises(CandidateError, match=r"recipe/augment.*__import__"):
        augmentation_names("flip+__import__")
