"""How much memory and CPU a process and its children use, and whether the kernel killed for want of memory.

Read from /proc on Linux; elsewhere through psutil, where resident memory then includes files mapped into it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_HAS_PROC = (_PROC / "self" / "status").exists()


def resident(process: int) -> int:
    """Bytes that a process holds in memory, without mapped files (the system takes those back). 0 once it is gone."""
    if not _HAS_PROC:
        return _psutil_resident(process)
    return _sum_kilobytes(_PROC / str(process) / "status", ("RssAnon:", "RssShmem:"))


def private(process: int) -> int:
    """Bytes that no other process shares: what a forked child adds to its parent. 0 once it is gone."""
    if not _HAS_PROC:
        return _psutil_resident(process)
    return _sum_kilobytes(_PROC / str(process) / "smaps_rollup", ("Private_Clean:", "Private_Dirty:"))


def beyond(process: int, idle: int) -> int | None:
    """Bytes that a process and its descendants hold beyond `idle`; None once it is gone, or on its way."""
    own = resident(process)
    if own == 0:
        return None
    return max(0, own - idle) + sum(private(child) for child in descendants(process))


def children(process: int) -> list[int]:
    """Processes whose parent is a thread of `process`."""
    if not _HAS_PROC:
        return _psutil_children(process)
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(_PROC / str(process) / "task"):
            with suppress(OSError):
                found += map(int, (_PROC / str(process) / "task" / thread / "children").read_bytes().split())
    return found


def descendants(process: int) -> list[int]:
    """Children, their children, and so on."""
    found = children(process)
    for child in found:
        found += children(child)
    return found


def cpu_seconds(process: int) -> float:
    """User and system seconds of a process and of the children it waited for. 0 once it is gone, or without /proc."""
    try:
        fields = (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def oom_kills(cgroups: Path = Path("/sys/fs/cgroup"), proc: Path = _PROC) -> int:
    """How many processes the kernel has killed for want of memory: in this process's cgroup, else on the machine."""
    for file in _oom_counters(cgroups, proc):
        with suppress(OSError, ValueError):
            for line in file.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0


def _oom_counters(cgroups: Path, proc: Path) -> list[Path]:
    files = []
    with suppress(OSError):
        for line in (proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                files.append(cgroups / path.lstrip("/") / "memory.events")
            elif "memory" in controllers.split(","):
                files.append(cgroups / "memory" / path.lstrip("/") / "memory.oom_control")
    return [*files, proc / "vmstat"]


def _sum_kilobytes(file: Path, names: tuple[str, ...]) -> int:
    total = 0
    # ProcessLookupError and FileNotFoundError: it ended. PermissionError: it changed its user.
    with suppress(OSError):
        for line in file.read_text().splitlines():
            if line.startswith(names):
                total += int(line.split()[1]) * 1024
    return total


def _psutil_resident(process: int) -> int:
    import psutil

    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0


def _psutil_children(process: int) -> list[int]:
    import psutil

    try:
        return [child.pid for child in psutil.Process(process).children()]
    except psutil.Error:
        return []
