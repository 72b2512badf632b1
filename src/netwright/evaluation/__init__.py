"""What may be done to a candidate, by name, and `work`, which executors run. Torch and scikit-learn load on first use.

Every evaluation takes a job, whose settings are JSON, and gives measurements and files in the job's folder.
"""

from __future__ import annotations

from collections.abc import Callable

from netwright.core.errors import InputError
from netwright.core.job import Evaluated, Job, Report


def _train(job: Job, report: Report) -> Evaluated:
    from netwright.evaluation.trained import train

    return train(job, report)


def _classic(job: Job, report: Report) -> Evaluated:
    from netwright.evaluation.classic import classic

    return classic(job)


def _score(job: Job, report: Report) -> Evaluated:
    from netwright.evaluation.scored import score_untrained

    return score_untrained(job)


def _test(job: Job, report: Report) -> Evaluated:
    from netwright.evaluation.tested import answer_test_split

    return answer_test_split(job)


def _precision(job: Job, report: Report) -> Evaluated:
    from netwright.evaluation.probe import probe

    return probe(job)


def _latency(job: Job, report: Report) -> Evaluated:
    from netwright.evaluation.timed import time_models

    return time_models(job)


EVALUATIONS: dict[str, Callable[[Job, Report], Evaluated]] = {
    "train": _train,
    "score": _score,
    "classic": _classic,
    "test": _test,
    "precision": _precision,
    "latency": _latency,
}


def work(job: Job, report: Report) -> Evaluated:
    """Run the job's evaluation. Raises InputError for a name that is not in `EVALUATIONS`."""
    evaluation = EVALUATIONS.get(job.evaluation)
    if evaluation is None:
        raise InputError(f"an evaluation must be one of {', '.join(EVALUATIONS)}, but got {job.evaluation!r}")
    return evaluation(job, report)
