"""Jobs that behave and misbehave on purpose, for testing executors and loops without training anything.

`scripted` is a work: a job's settings name one of `SCRIPTS`, and hold its numbers.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from netwright.core.errors import CandidateError
from netwright.core.job import Diverged, Evaluated, Job, OutOfMemory, Report
from netwright.core.measurement import Measurement
from netwright.core.seeding import stream


def scripted(job: Job, report: Report) -> Evaluated:
    """Do what `job.settings["script"]` names."""
    return SCRIPTS[job.settings["script"]](job, report)


def scripted_job(trial: int, folder: Path, script: str, attempt: int = 1, **settings: Any) -> Job:
    """A job for `scripted`, with its folder below `folder`."""
    return Job(
        trial=trial,
        attempt=attempt,
        evaluation="scripted",
        settings={"script": script, **settings},
        proposal=None,
        seed=1000 + trial,
        folder=folder / f"{trial:06d}-{attempt}",
    )


def _score(job: Job, notes: Mapping[str, Any] | None = None) -> Evaluated:
    value = stream(job.seed, "score").random()
    return Evaluated({"score": Measurement(value, split="validation")}, notes=notes or {})


def _finish(job: Job, report: Report) -> Evaluated:
    return _score(job)


def _report(job: Job, report: Report) -> Evaluated:
    """Report `epochs` times; end when told to, and say after how many."""
    for epoch in range(job.settings["epochs"]):
        if report({"epoch": epoch, "loss": 1.0 / (epoch + 1), "process": os.getpid()}) == "stop":
            (job.folder / "checkpoint.txt").write_text(str(epoch))
            return Evaluated(_score(job).measurements, {"checkpoint": "checkpoint.txt"}, {"epochs": epoch + 1})
        time.sleep(job.settings.get("pause", 0.0))
    return _score(job, {"epochs": job.settings["epochs"]})


def _artefact(job: Job, report: Report) -> Evaluated:
    (job.folder / "curve.txt").write_text("0.1 0.2")
    return Evaluated(_score(job).measurements, {"curve": job.settings.get("file", "curve.txt")})


def _echo(job: Job, report: Report) -> Evaluated:
    """Give back what arrived, and words on both streams, from Python and from below it."""
    print("printed by the work", flush=True)
    print("\x1b[31mprinted in red\x1b[0m", file=sys.stderr)
    os.write(1, b"written to the descriptor\n")
    settings, inputs = dict(job.settings), {name: path.read_text() for name, path in job.inputs.items()}
    return _score(job, {"settings": settings, "inputs": inputs, "process": os.getpid(), "seed": job.seed})


def _raise(job: Job, report: Report) -> Evaluated:
    raise ERRORS[job.settings["error"]](job.settings.get("message", ""))


def _hang(job: Job, report: Report) -> Evaluated:
    report({"process": os.getpid()})
    while True:
        pass


def _hang_holding_interpreter(job: Job, report: Report) -> Evaluated:
    """Sleep in C without letting any other thread of this process run."""
    report({"process": os.getpid()})
    ctypes.PyDLL(None).sleep(600)
    return _score(job)


def _hang_with_children(job: Job, report: Report) -> Evaluated:
    """Start one child in the worker's process group and one in a session of its own, then hang."""
    forever = [sys.executable, "-c", "import time; time.sleep(600)"]
    inside = subprocess.Popen(forever)
    outside = subprocess.Popen(forever, start_new_session=True)
    report({"process": os.getpid(), "children": [inside.pid, outside.pid]})
    time.sleep(600)
    return _score(job)


def _leave_children(job: Job, report: Report) -> Evaluated:
    """Finish, and leave two children running."""
    forever = [sys.executable, "-c", "import time; time.sleep(600)"]
    started = [subprocess.Popen(forever), subprocess.Popen(forever, start_new_session=True)]
    report({"children": [child.pid for child in started]})
    return _score(job)


def _die(job: Job, report: Report) -> Evaluated:
    """Be ended by `signal`."""
    report({"process": os.getpid()})
    os.kill(os.getpid(), job.settings["signal"])
    time.sleep(600)
    return _score(job)


def _segmentation_fault(job: Job, report: Report) -> Evaluated:
    ctypes.string_at(0)
    return _score(job)


def _leave(job: Job, report: Report) -> Evaluated:
    os._exit(job.settings["code"])


def _allocate(job: Job, report: Report) -> Evaluated:
    """Fill `mebibytes` of memory, in steps, and keep them."""
    kept = []
    for _ in range(job.settings["mebibytes"] // 8):
        kept.append(bytearray(os.urandom(1)) * (8 * 2**20))
        time.sleep(0.005)
    report({"process": os.getpid()})
    time.sleep(job.settings.get("pause", 0.0))
    return _score(job, {"kept": len(kept)})


def _spin(job: Job, report: Report) -> Evaluated:
    """Use `cpu_seconds` of processor time."""
    end = time.process_time() + job.settings["cpu_seconds"]
    while time.process_time() < end:
        pass
    return _score(job)


def _ignore_stop(job: Job, report: Report) -> Evaluated:
    """Go on whatever the driver says."""
    while True:
        report({"process": os.getpid()})
        time.sleep(0.01)


def _preempted_quietly(job: Job, report: Report) -> Evaluated:
    """Get SIGTERM, take no notice, and finish."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    return _score(job)


def _report_nan(job: Job, report: Report) -> Evaluated:
    """Report numbers that JSON does not have."""
    report({"loss": float("nan"), "list": [1.0, float("inf")]})
    return _score(job)


def _return_nothing(job: Job, report: Report) -> Evaluated:
    return cast(Evaluated, None)


ERRORS: dict[str, Callable[[str], BaseException]] = {
    "value": ValueError,
    "diverged": Diverged,
    "out_of_memory": OutOfMemory,
    "memory": MemoryError,
    "candidate": CandidateError,
    "exit": SystemExit,
    "runtime": RuntimeError,
    "disk_full": partial(OSError, errno.ENOSPC),
}

SCRIPTS: dict[str, Callable[[Job, Report], Evaluated]] = {
    "finish": _finish,
    "report": _report,
    "artefact": _artefact,
    "echo": _echo,
    "raise": _raise,
    "hang": _hang,
    "hang_holding_interpreter": _hang_holding_interpreter,
    "hang_with_children": _hang_with_children,
    "leave_children": _leave_children,
    "die": _die,
    "segmentation_fault": _segmentation_fault,
    "leave": _leave,
    "allocate": _allocate,
    "spin": _spin,
    "ignore_stop": _ignore_stop,
    "preempted_quietly": _preempted_quietly,
    "report_nan": _report_nan,
    "return_nothing": _return_nothing,
}
