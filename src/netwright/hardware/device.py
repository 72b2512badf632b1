"""The device card: which machine and runtime a latency belongs to, without names, addresses or serial numbers."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from netwright.core.candidate import digest

RUNTIMES = ("onnxruntime", "torch", "numpy")


def device_card(*, threads: int = 1) -> dict[str, Any]:
    """JSON facts that decide a latency: CPU model, its features (hashed), cores, system, runtime versions, threads.

    `hash` is over all the others: latencies are comparable only under one hash.
    """
    info = _cpu_info()
    card: dict[str, Any] = {
        "cpu": info.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "features": digest(sorted((info.get("flags") or info.get("Features") or "").split()), 4),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "python": platform.python_version(),
        "runtimes": {name: found for name in RUNTIMES if (found := _version(name))},
        "threads": threads,
        "batch": 1,
    }
    return {**card, "hash": digest(card, 8)}


def _cpu_info() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; empty on other systems."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first = path.read_text(errors="replace").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
