"""The command line. It imports typer and the standard library alone, so that help appears at once; each command
imports what it needs.

Exit codes: 0 done; 1 an unexpected error; 2 an option or argument that does not fit; 3 data that cannot be used;
4 a run folder that cannot be used as asked; 5 storage; 6 the search ended without a network; 130 interrupted.
With `--json` the last line on standard output is one JSON object (of `predict` each line, for an image each); everything
else goes to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from netwright.core.errors import InputError, NetwrightError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Find, train, shrink and ship the neural network that fits your data and your hardware.",
    epilog="Exit codes: 0 done, 1 unexpected error, 2 wrong option, 3 unusable data, 4 run folder, 5 storage, "
    "6 no network found, 130 interrupted.",
)
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at data before a search.")
app.add_typer(data_app, name="data")

NO_NETWORK = 6
INTERRUPTED = 130

RunFolder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object as the last line on standard output.")]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A folder of class folders, a folder with train/, val/ and test/ in it, an .npz file, a folder of IDX "
        "files, or the name digits or fashion-mnist.",
    ),
]
Split = Annotated[Path | None, typer.Option(help="CSV of file and split (train, validation, test).")]
Groups = Annotated[Path | None, typer.Option(help="CSV of file and group; a group stays on one side of the split.")]
Size = Annotated[str | None, typer.Option(help="Size of the images for the network: 64, or 48x64 (height x width).")]
Out = Annotated[Path, typer.Option(metavar="DIR", help="The run folder; made, or gone on with.")]
Minutes = Annotated[float | None, typer.Option(help="Total time for this folder.  [default: 10]")]
Epochs = Annotated[
    int | None, typer.Option(help="Passes over the images in a full training.  [default: by data and budget]")
]
SpaceName = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE.py:NAME", help="What to search; see `netwright spaces`.  [default: chain]"),
]
Workers = Annotated[int | None, typer.Option(help="Trials at a time, one thread each.  [default: all cores]")]
ExecutorName = Annotated[str | None, typer.Option(metavar="inline|local", help="Where trials run.  [default: local]")]
Precision = Annotated[
    str | None, typer.Option(metavar="auto|fp32|bf16", help="Arithmetic of the training.  [default: auto]")
]
Seed = Annotated[int | None, typer.Option(help="[default: 0]")]
AllowChanged = Annotated[
    bool, typer.Option("--allow-changed", help="Go on although data, space or objectives changed.")
]


def main() -> None:
    """Run a command; turn errors raised on purpose into one message and an exit code."""
    try:
        app()
    except NetwrightError as error:
        _say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(0)


@app.command(
    epilog="Example: netwright search photos/ --minutes 10 --limit 'parameters<=100k' --out runs/photos. "
    "The same command on the same folder goes on; --minutes is the total for the folder."
)
def search(
    data: Data,
    out: Out,
    minutes: Annotated[
        float | None,
        typer.Option(help="Total time for this folder.  [default: 10, without --trials and --cpu-seconds]"),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Total number of search trials for this folder.")] = None,
    cpu_seconds: Annotated[float | None, typer.Option(help="Total CPU seconds of the workers.")] = None,
    epochs: Epochs = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.py:NAME", help="How to search; see `netwright strategies`.  [default: auto+halving]"
        ),
    ] = None,
    space: SpaceName = None,
    workers: Workers = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:min|max]", help="Repeatable.  [default: accuracy, parameters]"),
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(metavar="EXPR", help="Repeatable: 'parameters<=100k', 'latency<=2ms'.")
    ] = None,
    split: Split = None,
    groups: Groups = None,
    size: Size = None,
    rival: Annotated[
        str | None, typer.Option(metavar="random", help="Give random search as much as the search itself.")
    ] = None,
    screen: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE",
            help="Score candidates untrained, and train the better ones: synflow, naswot, zen, jacov, grad_norm, snip, "
            "fisher, grasp, parameters or macs. With --strategy training-free, the score to search by.",
        ),
    ] = None,
    executor: ExecutorName = None,
    precision: Precision = None,
    stop: Annotated[
        str | None,
        typer.Option(
            metavar="none|median|halving|power-law",
            help="End trainings early by their learning curves.  [default: none]",
        ),
    ] = None,
    seed: Seed = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; train nothing.")] = False,
    inherit: Annotated[
        bool, typer.Option("--inherit", help="Children of evolution start from their parents' weights.")
    ] = False,
    no_images: Annotated[bool, typer.Option("--no-images", help="Keep images out of the report.")] = False,
    allow_changed: AllowChanged = False,
    as_json: Json = False,
) -> None:
    """Search for a network, train the best ones to the end, test and export the winner, and write the report."""
    from netwright.experiment.settings import Settings

    settings = Settings(
        data=data,
        minutes=minutes,
        trials=trials,
        cpu_seconds=cpu_seconds,
        epochs=epochs,
        strategy=strategy,
        space=space,
        workers=workers,
        objectives=tuple(objective) if objective else None,
        limits=tuple(limit) if limit else None,
        size=size,
        split=None if split is None else str(split),
        groups=None if groups is None else str(groups),
        rival=rival,
        screen=screen,
        executor=executor,
        precision=precision,
        stop=stop,
        seed=seed,
        images=False if no_images else None,
        inherit=True if inherit else None,
    )
    if dry_run:
        from netwright.experiment.preview import preview

        found = preview(settings)
        _finish(found.to_json(), as_json, found.lines)
        return
    from netwright.experiment.run import search_command

    ended = search_command(settings, out, allow_changed=allow_changed)
    _finish(ended.outcome, as_json, list)
    if ended.interrupted:
        raise typer.Exit(INTERRUPTED)
    if ended.outcome["export"] is None:
        raise typer.Exit(NO_NETWORK)


@app.command(
    epilog="Example: netwright fidelity photos/ --minutes 10 --out runs/photos-fidelity. Give it the --epochs, --minutes "
    "and --workers of the search: they decide how long its trainings are. The same command on the same folder goes on."
)
def fidelity(
    data: Data,
    out: Out,
    networks: Annotated[
        int | None, typer.Option(help="Total number of random networks for this folder.  [default: 20]")
    ] = None,
    minutes: Minutes = None,
    epochs: Epochs = None,
    space: SpaceName = None,
    workers: Workers = None,
    split: Split = None,
    groups: Groups = None,
    size: Size = None,
    executor: ExecutorName = None,
    precision: Precision = None,
    seed: Seed = None,
    allow_changed: AllowChanged = False,
    as_json: Json = False,
) -> None:
    """Find out whether a short training says anything about a long one, so whether successive halving can be trusted.

    Trains random networks for as long as each rung of successive halving and in full, and compares their order.
    """
    from netwright.experiment.fidelity import fidelity_command
    from netwright.experiment.settings import Settings

    settings = Settings(
        data=data,
        minutes=minutes,
        epochs=epochs,
        space=space,
        workers=workers,
        size=size,
        split=None if split is None else str(split),
        groups=None if groups is None else str(groups),
        executor=executor,
        precision=precision,
        seed=seed,
    )
    ended = fidelity_command(settings, out, networks=networks, allow_changed=allow_changed)
    _finish(ended.outcome, as_json, lambda: ended.lines)
    if ended.interrupted:
        raise typer.Exit(INTERRUPTED)


@app.command(epilog="Example: netwright status runs/photos. Works while the search runs.")
def status(run: RunFolder, as_json: Json = False) -> None:
    """Say how far a search, or a fidelity report, has come."""
    from netwright.experiment.words import status_of

    found, lines = status_of(_existing_run(run))
    _finish(found, as_json, lambda: lines)


@app.command(epilog="Example: netwright report runs/photos. Works while the search runs.")
def report(
    run: RunFolder,
    no_images: Annotated[bool, typer.Option("--no-images", help="Keep images out of the report.")] = False,
    as_json: Json = False,
) -> None:
    """Write report.html and report.json from what the run holds now."""
    from netwright.experiment.page import write_page

    html, numbers = write_page(_existing_run(run), images=False if no_images else None)
    _finish({"report": html.name, "numbers": numbers.name}, as_json, lambda: [f"report: {html}"])


@app.command(epilog="Example: netwright predict runs/photos new.jpg a_folder/ --csv answers.csv")
def predict(
    run: RunFolder,
    inputs: Annotated[list[Path], typer.Argument(metavar="INPUT...", help="Images, folders, .npy or .npz files.")],
    csv: Annotated[Path | None, typer.Option(help="Write the answers there.")] = None,
    key: Annotated[str | None, typer.Option(help="Which array of an .npz file.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name for each image.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, one for each image.")] = False,
) -> None:
    """Answer for images with the network that the run exported."""
    from netwright.export import predict as script

    folder = _existing_run(run) / "export"
    if not (folder / "model.onnx").exists():
        raise InputError(f"{run} has no exported network yet; let the search end, or run: netwright export {run}")
    arguments = ["--top", str(top)]
    arguments += ["--csv", str(csv)] if csv else []
    arguments += ["--key", key] if key else []
    arguments += ["--json"] if as_json else []
    arguments += ["--", *map(str, inputs)]
    raise typer.Exit(script.main(arguments, folder))


@app.command(epilog="Example: netwright export runs/photos --trial 17 --to shipped/")
def export(
    run: RunFolder,
    trial: Annotated[int | None, typer.Option(help="Which trial.  [default: the winner, or the best so far]")] = None,
    to: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to.  [default: DIR/export]")] = None,
    as_json: Json = False,
) -> None:
    """Write a trial's network as a folder that runs without netwright."""
    from netwright.experiment.shipping import export_trial

    folder, number = export_trial(_existing_run(run), trial, to)
    _finish({"export": str(folder), "trial": number}, as_json, lambda: [f"trial {number} exported to {folder}"])


@data_app.command("check", epilog="Example: netwright data check photos/")
def data_check(
    data: Data, split: Split = None, groups: Groups = None, size: Size = None, as_json: Json = False
) -> None:
    """Find corrupt files, duplicates, empty classes and the like, and say what to do about each."""
    from netwright.experiment.sources import check_command

    found, lines, stops = check_command(data, split=split, groups=groups, size=size)
    _finish(found, as_json, lambda: lines)
    if stops:
        raise typer.Exit(3)


@app.command(epilog="Example: netwright spaces nasbench201 --json")
def spaces(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE.py:NAME]", help="One space in detail.")] = None,
    as_json: Json = False,
) -> None:
    """List the spaces that can be searched, or describe one."""
    from netwright.experiment.listing import describe_space, list_spaces

    found, lines = list_spaces() if name is None else describe_space(name)
    _finish(found, as_json, lambda: lines)


@app.command(epilog="Example: netwright strategies --json")
def strategies(as_json: Json = False) -> None:
    """List the strategies and what each can do."""
    from netwright.experiment.listing import list_strategies

    found, lines = list_strategies()
    _finish(found, as_json, lambda: lines)


@app.command(epilog="Example: netwright doctor runs/photos")
def doctor(
    run: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="A run folder to examine and mend.")] = None,
    as_json: Json = False,
) -> None:
    """Examine this machine, or a run folder whose ledger cannot be read."""
    from netwright.experiment.doctor import examine_machine, examine_run

    found, lines, healthy = examine_machine() if run is None else examine_run(run)
    _finish(found, as_json, lambda: lines)
    if not healthy:
        raise typer.Exit(4)


@app.command(epilog="Example: netwright clean runs/photos")
def clean(run: RunFolder, as_json: Json = False) -> None:
    """Delete checkpoints and working files that neither the report nor the export needs."""
    from netwright.experiment.shipping import clean_run

    freed, files = clean_run(_existing_run(run))
    _finish({"bytes": freed, "files": files}, as_json, lambda: [f"{files} files, {freed / 1e6:.1f} MB deleted"])


def _existing_run(run: Path) -> Path:
    if not (run / "ledger.sqlite").exists():
        raise InputError(f"{run} is not the folder of a run (it holds no ledger.sqlite); give the --out of a search")
    return run


def _finish(found: Any, as_json: bool, lines: Callable[[], list[str]]) -> None:
    """The answer of a command: one JSON line on standard output, or lines for a reader."""
    if as_json:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False))
    else:
        for line in lines():
            print(line)


def _say(message: str) -> None:
    from netwright.core.text import plain_lines

    print(plain_lines(message), file=sys.stderr)
