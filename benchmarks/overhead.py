"""What a trial costs beyond its own training, with two workers: netwright beside Optuna on journal storage and Ray Tune.

    python benchmarks/overhead.py [--seeds 5] [--trials 200] [--seconds 0.2]

The training is a sleep of fixed length in both, so two workers do at best 2 / seconds trials a second; overhead is
`workers x wall / trials - seconds`, taken after the first tenth of the trials, which leaves out the start of either.
netwright forks a process for each trial (isolation, deadline, memory cap), records its events and hands on a report;
Optuna's two processes, each a loop of its own, ask, note and tell through one journal file. Ray Tune drives two
processes of its own from here, an actor a trial. All draw random points of six decisions, so that the cost of the
sampler stays out. Ray Tune is left out where it is not installed (`pip install 'ray[tune]==2.60.0'`) or does not start.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from common import Results, arguments, machine, mean_interval, print_table, spread
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from netwright.core.events import Finished
from netwright.executors import LocalExecutor
from netwright.executors.local import PRELOAD
from netwright.ledger.sqlite import SqliteLedger
from netwright.testing import driving

WORKERS = 2
DIRECTIONS = ("maximize", "minimize")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a training")
    given = parser.parse_args()
    trials, seeds = (20, 1) if given.quick else (given.trials, given.seeds)
    results = Results("overhead", given)
    overhead: dict[str, list[float]] = {}
    runs = {"netwright": ours, "Optuna": optuna_run}
    if importlib.util.find_spec("ray") is not None:
        runs["Ray Tune"] = ray_run
    for seed in range(seeds):
        for name, run in runs.items():
            record = results.once(
                f"{name}, {trials} trials of {given.seconds} s, seed {seed}",
                lambda run=run, seed=seed: {"ms": timed(run, seed, trials, given.seconds)},
            )
            overhead.setdefault(name, []).append(record["ms"])
    print(f"{machine()}; {trials} trials of {given.seconds} s, median (range) of the seeds 0 to {seeds - 1}")
    rows = []
    for name, values in overhead.items():
        mean, low, high = mean_interval(values)
        rows.append([name, spread(values, 1), f"{mean:.1f} ({low:.1f} to {high:.1f})"])
    print_table(["library", "overhead, ms a trial", "mean (90 % interval)"], rows)


def timed(run: Any, seed: int, trials: int, seconds: float) -> float:
    """Overhead in milliseconds a trial of one run, from the times at which trials ended."""
    with tempfile.TemporaryDirectory() as folder:
        ended = sorted(run(Path(folder), seed, trials, seconds))
    first = trials // 10
    return (WORKERS * (ended[-1] - ended[first]) / (len(ended) - 1 - first) - seconds) * 1e3


def ours(folder: Path, seed: int, trials: int, seconds: float) -> list[float]:
    """A random search of the toy space with worker processes; when each trial ended, by the ledger."""
    work = partial(driving.train, pause=seconds)
    with (
        SqliteLedger(folder / "ledger.sqlite") as ledger,
        LocalExecutor(
            work, workers=WORKERS, logs_folder=folder / "logs", preload=(*PRELOAD, driving.__name__)
        ) as executor,
    ):
        loop = driving.toy_loop(folder, ledger, executor)
        loop.restore({"search": driving.toy_search("random", seed=seed, rungs=(1,))})
        loop.run(["search"], lambda loop: loop.spent().trials >= trials)
        loop.run(["search"], lambda loop: False, draw=False)
        return [stored.at for stored in ledger.replay() if isinstance(stored.event, Finished)]


def optuna_run(folder: Path, seed: int, trials: int, seconds: float) -> list[float]:
    """The same with Optuna's random sampler in two processes on one journal file."""
    path = str(folder / "journal.log")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(study_name="overhead", storage=JournalStorage(JournalFileBackend(path)), directions=DIRECTIONS)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=optuna_worker, args=(path, seed * 100 + i, trials, seconds)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"a process of Optuna ended with {worker.exitcode}")
    study = optuna.load_study(study_name="overhead", storage=JournalStorage(JournalFileBackend(path)))
    return [trial.datetime_complete.timestamp() for trial in study.trials if trial.datetime_complete][:trials]


def optuna_worker(path: str, seed: int, trials: int, seconds: float) -> None:
    """One process: draw, sleep, report, tell, until both together have done all trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(
        study_name="overhead",
        storage=JournalStorage(JournalFileBackend(path)),
        sampler=optuna.samplers.RandomSampler(seed=seed),
    )

    def train(trial: optuna.Trial) -> tuple[float, float]:
        point = [trial.suggest_int(f"slot/{slot}", 0, 3) for slot in range(6)]
        time.sleep(seconds)
        trial.set_user_attr("epoch", 1)  # studies of several objectives know no report
        return sum(point) / 18, float(sum(point))

    stop = optuna.study.MaxTrialsCallback(trials, states=None)
    study.optimize(train, callbacks=[stop])


def ray_run(folder: Path, seed: int, trials: int, seconds: float) -> list[float]:
    """The same with Ray Tune's random search in two processes; each training says when it ended."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray import tune

    def train(config: dict[str, int]) -> None:
        time.sleep(seconds)
        tune.report({"accuracy": sum(config.values()) / 18, "ended": time.time()})

    ray.init(num_cpus=WORKERS, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    try:
        tuner = tune.Tuner(
            train,
            param_space={f"slot{slot}": tune.randint(0, 4) for slot in range(6)},
            tune_config=tune.TuneConfig(
                num_samples=trials,
                search_alg=tune.search.BasicVariantGenerator(max_concurrent=WORKERS, random_state=seed),
            ),
            run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
        )
        return [result.metrics["ended"] for result in tuner.fit()]
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
