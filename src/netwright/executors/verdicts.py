"""What the end of an attempt means: an exception, a signal or a kill becomes a status and one sentence.

The rules: what the candidate causes is a result (diverged, out of memory, invalid, timeout, crashed); what the machine
causes is `lost`. A SIGKILL that nobody here sent is the machine's, unless the kernel's out-of-memory killer was seen
at work or the last reading of memory was near the cap.
"""

from __future__ import annotations

import errno
import os
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from netwright.core.errors import CandidateError
from netwright.core.job import (
    Allowance,
    AttemptFailed,
    AttemptLost,
    Diverged,
    Evaluated,
    Job,
    OutOfMemory,
    Report,
    Work,
)
from netwright.core.text import plain, plain_lines
from netwright.core.trial import Status

LONGEST_REASON = 300
LONGEST_DETAIL = 4_000
NEAR_THE_CAP = 0.9
_STORAGE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})

Cause = Literal["timeout", "memory", "stop", "preempted", "broken", "unstarted"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker's process ended: `code` is its exit status, or minus the signal.

    `cause` names why it was ended on purpose, None when it ended by itself or by another's hand. `memory` is the last
    reading beyond an idle worker, in bytes; `oom_killed` says that the kernel's count of such kills rose meanwhile.
    """

    code: int
    cause: Cause | None
    seconds: float
    cpu_seconds: float
    memory: int = 0
    oom_killed: bool = False
    error: str = ""


def evaluate(work: Work, job: Job, report: Report) -> Evaluated:
    """Run the work and check what it hands over: each artefact is a file inside the job's folder."""
    evaluated = work(job, report)
    if not isinstance(evaluated, Evaluated):
        raise TypeError(f"a work must return an Evaluated, but {work!r} returned {type(evaluated).__name__}")
    folder = os.path.realpath(job.folder)
    for name, file in evaluated.artefacts.items():
        path = os.path.realpath(os.path.join(folder, file))
        if os.path.commonpath([folder, path]) != folder or not os.path.isfile(path):
            raise ValueError(f"artefact {name!r} must be a file in the job's folder, but {file!r} is not")
    return evaluated


def status_of(error: BaseException) -> Status:
    """The status that an exception raised by a work stands for; `lost` when the machine is at fault (a full disk)."""
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, CandidateError):
        return "invalid"
    if isinstance(error, OutOfMemory | MemoryError) or _out_of_torch_memory(error):
        return "out_of_memory"
    if (isinstance(error, OSError) and error.errno in _STORAGE_ERRORS) or os.strerror(errno.ENOSPC) in str(error):
        return "lost"
    return "crashed"


def _out_of_torch_memory(error: BaseException) -> bool:
    """By name and message, since torch may not be loaded here; on the CPU it raises a plain RuntimeError."""
    if any(kind.__name__ == "OutOfMemoryError" and kind.__module__.startswith("torch") for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("can't allocate memory", "out of memory")
    )


def sentence(error: BaseException) -> str:
    """The reason in one line: the message alone where netwright's own words are enough, else with the kind of error."""
    message = plain(str(error))
    if not isinstance(error, Diverged | OutOfMemory | CandidateError) or not message:
        message = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return message if len(message) <= LONGEST_REASON else message[: LONGEST_REASON - 1] + "…"


def detail_of(error: BaseException) -> str:
    """The tail of the traceback."""
    return _tail("".join(traceback.format_exception(error)))


def raised(
    job: Job, status: Status, reason: str, detail: str, seconds: float, cpu_seconds: float
) -> AttemptFailed | AttemptLost:
    """What an exception of the work means, once `status_of` and `sentence` have put it into words."""
    if status == "lost":
        return AttemptLost(job.trial, job.attempt, reason, cpu_seconds)
    return AttemptFailed(job.trial, job.attempt, status, reason, detail, seconds, cpu_seconds)


def log_tail(path: Path) -> str:
    """The last lines a worker printed, fit to show; empty when there is no log."""
    try:
        with path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - 4 * LONGEST_DETAIL))
            return _tail(log.read().decode(errors="replace"))
    except OSError:
        return ""


def _tail(text: str) -> str:
    text = plain_lines(text).strip()
    return text if len(text) <= LONGEST_DETAIL else "…\n" + text[-LONGEST_DETAIL:].partition("\n")[2]


def verdict(job: Job, allowance: Allowance, ending: Ending, detail: str) -> AttemptFailed | AttemptLost:
    """What an ending without a result means."""
    code, cause = ending.code, ending.cause

    def failed(status: Status, reason: str, number: int | None = None) -> AttemptFailed:
        return AttemptFailed(job.trial, job.attempt, status, reason, detail, ending.seconds, ending.cpu_seconds, number)

    def lost(reason: str, *, counts: bool = True) -> AttemptLost:
        return AttemptLost(job.trial, job.attempt, reason, ending.cpu_seconds, counts)

    if cause == "timeout":
        return failed("timeout", f"it was still running after {allowance.seconds:g} s, the time one trial may take")
    if cause == "memory":
        return failed("out_of_memory", f"it used {_mebibytes(ending.memory)}; {_cap(allowance)}")
    if cause == "stop":
        return lost("it was asked to stop and did not end in time", counts=False)
    if cause == "preempted" or code == -signal.SIGTERM:
        return lost("the machine asked its process to end (SIGTERM)", counts=False)
    if cause == "unstarted":
        return lost(f"no process could be started for it: {ending.error}")
    if cause == "broken":
        return failed("crashed", f"its process sent something that is not a result: {ending.error}")
    if code == -signal.SIGKILL:
        if ending.oom_killed:
            return failed("out_of_memory", "the system ran out of memory and killed its process")
        if allowance.bytes is not None and ending.memory > NEAR_THE_CAP * allowance.bytes:
            used = _mebibytes(ending.memory)
            return failed("out_of_memory", f"its process was killed when it used {used}; {_cap(allowance)}")
        return lost("its process was killed from outside (SIGKILL)")
    if code < 0:
        return failed("crashed", f"its process died of signal {-code} ({_signal_name(-code)})", -code)
    return failed("crashed", f"its process ended with exit status {code} before it sent a result")


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB of memory"


def _cap(allowance: Allowance) -> str:
    return f"one trial may use {(allowance.bytes or 0) / 2**20:.0f} MiB"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unnamed"
