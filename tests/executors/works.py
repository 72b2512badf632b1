"""Works that the tests of the local executor run in its workers."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import stat
import sys
import threading
import time
from types import ModuleType

from netwright.core.job import Evaluated, Job, Report


def facts(job: Job, report: Report) -> Evaluated:
    """What a worker finds around it, before anything of torch was run."""
    torch = sys.modules.get("torch")
    notes = {
        "process": os.getpid(),
        "session": os.getsid(0),
        "group": os.getpgrp(),
        "parent": os.getppid(),
        "threads": threading.active_count(),
        "arguments": sys.argv,
        "main": getattr(sys.modules["__main__"], "__file__", None),
        "order_of_a_set": list({"conv", "pool", "linear", "norm", "add"}),
        "random": random.random(),
        "input": os.read(0, 1).decode(),
    }
    if torch is not None:
        notes["torch_threads"] = torch.get_num_threads()
        notes["cuda"] = torch.cuda.is_initialized()
        notes["imported_by_a_step"] = imported_by_a_step(torch)
    return Evaluated({}, notes=notes)


def imported_by_a_step(torch: ModuleType) -> int:
    """How many modules one step of training imports that were not there before."""
    before = set(sys.modules)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.zeros(1, 2)).sum().backward()
    optimizer.step()
    return len(set(sys.modules) - before)


def greet(greeting: str, job: Job, report: Report, *, mark: str = "") -> Evaluated:
    """A work with arguments of its own."""
    return Evaluated({}, notes={"greeting": greeting + mark})


def write_to_the_driver(job: Job, report: Report) -> Evaluated:
    """Send raw bytes through the channel, then die of SIGKILL or sleep."""
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, job.settings["bytes"].encode())
        except OSError:
            continue
    if job.settings["die"]:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)
    return Evaluated({})


def terminate_a_child(job: Job, report: Report) -> Evaluated:
    """Fork a child, as a data loader does, and end it by SIGTERM."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    child.start()
    time.sleep(0.1)
    child.terminate()
    child.join(20)
    return Evaluated({}, notes={"exit": child.exitcode, "report": report({})})


def print_much(job: Job, report: Report) -> Evaluated:
    """Print, then fail."""
    for line in range(2_000):
        sys.stderr.write(f"line {line} \x1b]0;title\x07\x1b[2J\n")
    raise ValueError("after much was printed")
