"""A small export and pictures to try it on, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from netwright.core.measurement import Measurement
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.data.decode import DecodeSettings
from netwright.export.card import Card
from netwright.export.folder import export
from tests.networks.plans import PLANS, lived_in_weights, make_task

TASK = make_task((3, 13, 11))
SETTINGS = DecodeSettings(height=13, width=11, channels=3)
FILES = {
    "model.onnx",
    "weights.safetensors",
    "model.py",
    "labels.json",
    "decode.json",
    "decode.py",
    "predict.py",
    "README.md",
    "requirements.txt",
}


def make_card(**changes: Any) -> Card:
    facts: dict[str, Any] = {
        "data": "shapes",
        "fingerprint": "blake2b:0123abcd",
        "counts": {"train": 700, "validation": 150, "test": 150},
        "measurements": [
            ("accuracy", Measurement(0.9567, "", 0.931, 0.978, 150, "measured", "test")),
            ("accuracy", Measurement(0.9733, "", 0.95, 0.99, 150, "measured", "validation")),
            ("parameters", Measurement(1789, "", source="computed")),
            ("latency", Measurement(0.1234, "ms", 0.12, 0.13, 25)),
        ],
        "key": "0f" * 16,
        "limits": ("parameters ≤ 2k",),
        "verdict": "The network beats the random forest by 3.1 points (1.0 to 5.2).",
        "licence": "CC-BY-4.0",
    }
    return Card(**{**facts, **changes})


def make_export(
    folder: Path, name: str = "mbconv", task: TaskSpec = TASK, seed: int = 0, card: Card | None = None
) -> Path:
    plan = PLANS[name](task)
    channels, height, width = task.inputs
    return export(
        folder,
        plan=plan,
        task=task,
        weights=lived_in_weights(plan, seed),
        decode_settings=DecodeSettings(height=height, width=width, channels=channels).to_json(),
        card=card or make_card(),
    )


def by_torch(images: np.ndarray, name: str = "mbconv", task: TaskSpec = TASK, seed: int = 0) -> np.ndarray:
    """Probabilities of the module for uint8 images (N, height, width, channels)."""
    import torch

    from netwright.networks.build import build

    plan: Plan = PLANS[name](task)
    network = build(plan, task).eval()
    network.load_state_dict({key: torch.from_numpy(array) for key, array in lived_in_weights(plan, seed).items()})
    with torch.no_grad():
        logits = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    return logits.softmax(1).numpy()


def pixels(count: int, seed: int = 0, shape: tuple[int, ...] = (13, 11, 3)) -> np.ndarray:
    """Smooth random pictures: what survives resizing and JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 3, 3, shape[-1]), np.uint8)
    height, width = shape[:2]
    planes = [
        [
            np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
            for plane in picture.transpose(2, 0, 1)
        ]
        for picture in coarse
    ]
    return np.asarray(planes, np.uint8).transpose(0, 2, 3, 1).copy()
