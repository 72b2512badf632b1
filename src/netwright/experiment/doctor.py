"""What this machine can do, and whether a run folder is sound; a damaged ledger is mended as far as it can be read."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from netwright.core.errors import InputError, RunLocked
from netwright.experiment.opening import LEDGER_FILE, LIBRARIES, versions
from netwright.experiment.settings import available_cores
from netwright.ledger.blobs import Blobs
from netwright.ledger.lock import RunLock, holder
from netwright.ledger.recovery import damage, recover

Examined = tuple[dict[str, Any], list[str], bool]


def examine_machine() -> Examined:
    """Versions, cores, memory and devices."""
    import torch

    found: dict[str, Any] = {
        "netwright": metadata.version("netwright"),
        "python": platform.python_version(),
        "libraries": versions(LIBRARIES),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": available_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "isolation": hasattr(os, "fork"),
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    lines = [
        f"netwright {found['netwright']}, Python {found['python']}, {found['system']}",
        ", ".join(f"{name} {version}" for name, version in found["libraries"].items()),
        f"{found['cores']} cores, {found['memory_gb']} GB of memory",
        "each trial runs in a process of its own"
        if found["isolation"]
        else "this system cannot fork: trials run inline, and a crash ends the search",
        _devices(found),
    ]
    return found, lines, True


def _devices(found: dict[str, Any]) -> str:
    devices = [name.upper() for name in ("cuda", "mps") if found[name]]
    return f"{' and '.join(devices)} available; netwright trains on the CPU" if devices else "no accelerator"


def examine_run(folder: Path) -> Examined:
    """Check the ledger and the artefacts; mend a damaged ledger, keeping the damaged file beside it.

    While a driver works on it nothing is examined. Raises InputError for a folder that is no run.
    """
    if not (folder / LEDGER_FILE).exists():
        raise InputError(f"{folder} is not the folder of a run (it holds no {LEDGER_FILE})")
    try:
        with RunLock(folder):
            return _mend(folder)
    except RunLocked:
        driver = holder(folder)
        if driver is None:
            raise
    found = {"driver": {"host": driver.host, "process": driver.pid}, "damage": [], "healthy": True}
    return (
        found,
        [f"a search runs on this folder ({driver.host}, process {driver.pid}); nothing was examined"],
        True,
    )


def _mend(folder: Path) -> Examined:
    path = folder / LEDGER_FILE
    faults = damage(path)
    blobs = Blobs(folder / "blobs")
    broken = [name for name in blobs.hashes() if not blobs.intact(name)]
    lines = [f"ledger: {fault}" for fault in faults] + [f"blob {name[:12]}: damaged, removed" for name in broken]
    report = ""
    for name in broken:
        blobs.delete(name)
    if faults:
        report = recover(path).report
        lines.append(report)
    healthy = not faults and not broken
    if healthy:
        lines.append("the run is sound")
    return {"damage": faults, "blobs_removed": broken, "recovery": report, "healthy": healthy}, lines, healthy
