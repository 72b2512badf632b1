"""Writes the folder of a network: whole or not at all.

Everything is written to a folder beside it, synced to disk, and then takes the place of the old export, which stays
until that moment. Leftovers of a killed export are removed by the next one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from netwright.core.errors import InputError, StorageError
from netwright.core.files import sync_folder, write_bytes
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.data.decode import DecodeSettings
from netwright.export.card import REQUIREMENTS, Card, card_text
from netwright.networks.onnx import to_onnx
from netwright.networks.source import to_source
from netwright.networks.weights import check_weights

MARK = ("model.onnx", "predict.py", "decode.json")
"""Files by which a folder is known as an export, which may be replaced."""


def export(
    folder: Path,
    *,
    plan: Plan,
    task: TaskSpec,
    weights: Mapping[str, Any],
    decode_settings: Mapping[str, Any],
    card: Card,
) -> Path:
    """Writes the network to `folder`, replacing an earlier export, and gives the folder.

    `weights` maps state-dict names to arrays or tensors; `decode_settings` is `DecodeSettings.to_json()`. Raises
    CandidateError where plan and weights do not fit, InputError where `folder` holds something else or the settings do
    not fit the task, StorageError where the disk refuses.
    """
    folder = Path(folder).resolve()
    try:
        _sweep(folder)
        _check_target(folder)
        contents = _contents(plan, task, weights, decode_settings, card)
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = _beside(folder, "new")
        fresh.mkdir()
        try:
            for name, content in contents.items():
                write_bytes(fresh / name, content)
            _replace(folder, fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        sync_folder(folder.parent)
    except OSError as error:
        reason = f"{folder.name}: {error.strerror or error}"
        raise StorageError(f"the export must be writable, but {reason}; free space or choose another folder") from error
    return folder


def _contents(
    plan: Plan, task: TaskSpec, weights: Mapping[str, Any], decode_settings: Mapping[str, Any], card: Card
) -> dict[str, bytes]:
    """Name to content of every file."""
    settings = DecodeSettings.from_json(decode_settings)
    channels, height, width = task.inputs
    if settings.shape != (height, width, channels):
        raise InputError(
            f"decoding must give {(height, width, channels)}, as the network takes, but gives {settings.shape}"
        )
    return {
        "model.onnx": to_onnx(plan, task, weights),
        "weights.safetensors": save(check_weights(plan, weights), metadata={"format": "pt"}),
        "model.py": to_source(plan, task).encode(),
        "labels.json": _json(list(task.labels)),
        "decode.json": _json(settings.to_json()),
        "decode.py": (resources.files("netwright.data") / "decode.py").read_bytes(),
        "predict.py": (resources.files("netwright.export") / "predict.py").read_bytes(),
        "README.md": card_text(card, plan, task).encode(),
        "requirements.txt": "".join(f"{requirement}\n" for requirement in REQUIREMENTS).encode(),
    }


def _json(value: object) -> bytes:
    try:
        return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except UnicodeEncodeError:  # a class named by a folder whose name is not UTF-8
        return (json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()


def _check_target(folder: Path) -> None:
    """Only an empty folder or an earlier export may be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not all((folder / name).is_file() for name in MARK)):
        raise InputError(
            f"the export must go to a new or empty folder or replace an earlier export, but {folder.name!r} holds "
            "something else; choose another folder"
        )


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}-{secrets.token_hex(4)}")


def _sweep(folder: Path) -> None:
    """Removes what a killed export left; puts the old folder back when it was killed between its two renames."""
    hexadecimal = "[0-9a-f]" * 8
    for old in folder.parent.glob(f".{_literal(folder.name)}.old-{hexadecimal}"):
        if folder.exists():
            shutil.rmtree(old)
        else:
            os.rename(old, folder)
    for new in folder.parent.glob(f".{_literal(folder.name)}.new-{hexadecimal}"):
        shutil.rmtree(new)


def _literal(name: str) -> str:
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in name)


def _replace(folder: Path, fresh: Path) -> None:
    if not folder.exists():
        os.rename(fresh, folder)
        return
    old = _beside(folder, "old")
    os.rename(folder, old)
    try:
        os.rename(fresh, folder)
    except BaseException:
        os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
