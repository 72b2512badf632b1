"""The model card: what an exported network is, what it was trained on, how good it is, how to use it, and its limits.

Everything that comes from data or from a person is made fit to show: one line, no markup, no absolute path, no secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS
from netwright.core.plan import Plan
from netwright.core.task import TaskSpec
from netwright.core.text import plain, public

REQUIREMENTS = ("numpy>=1.26", "Pillow>=10.3", "onnxruntime>=1.17")
"""What predict.py needs; also the content of requirements.txt."""

SHARES = ("accuracy", "balanced_accuracy")
CLASSES_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Card:
    """Facts about a network that its files do not hold.

    `data` is the name of the data set, `fingerprint` the hash of its content, `counts` the images of each split.
    `measurements` are (metric, measurement) pairs; one metric may occur once a split. `limits` are the limits that
    were kept, `verdict` and `caveats` sentences. `licence` is that of the data, None where it is not known.
    """

    data: str
    fingerprint: str
    counts: Mapping[str, int]
    measurements: Sequence[tuple[str, Measurement]]
    key: str = ""
    limits: Sequence[str] = ()
    verdict: str = ""
    licence: str | None = None
    caveats: Sequence[str] = ()
    recipe: Mapping[str, object] = field(default_factory=dict)


def card_text(card: Card, plan: Plan, task: TaskSpec) -> str:
    """README.md of an exported folder, in Markdown."""
    sections = [
        f"# Classifier for {text(card.data)}",
        _summary(plan, task),
        "## Use",
        _USE,
        "## How good it is",
        "\n".join(_measurements(card)),
        *(
            ["The network keeps these limits: " + ", ".join(text(limit) for limit in card.limits) + "."]
            if card.limits
            else []
        ),
        *([text(card.verdict)] if card.verdict else []),
        "## Data",
        "\n".join(_data(card)),
        "## Classes",
        _classes(task),
        "## Intended use and caveats",
        "\n".join(f"- {line}" for line in [*_CAVEATS, *(text(caveat) for caveat in card.caveats)]),
        "## Files",
        _FILES,
    ]
    if card.recipe:
        recipe = ", ".join(f"{text(name)} {text(str(value))}" for name, value in card.recipe.items())
        sections[-2:-2] = ["## Training", f"{recipe}."]
    return "\n\n".join(sections) + "\n"


def text(value: str) -> str:
    """`value` on one line, without secrets, paths of a machine, or anything Markdown or HTML would act on."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", public(plain(value)))


def _summary(plan: Plan, task: TaskSpec) -> str:
    kind = "convolutional" if any(step.op == "conv" for step in plan.steps) else "fully connected"
    channels, height, width = task.inputs
    given = f"lists of {channels} numbers" if height == width == 1 else f"{channels} x {height} x {width} images"
    return (
        f"A {kind} network of {plan.parameters:,} parameters and {plan.macs:,} multiply-accumulates that sorts {given} "
        f"into {task.outputs} classes. Found and trained by netwright; it runs without it."
    )


def _measurements(card: Card) -> Iterator[str]:
    yield "| what | split | value | 90 % interval | taken over |"
    yield "|---|---|---|---|---|"
    for name, measurement in card.measurements:
        interval = "exact" if measurement.source == "computed" else "not known"
        if measurement.low is not None and measurement.high is not None:
            interval = (
                f"{_number(name, measurement.low, measurement)} to {_number(name, measurement.high, measurement)}"
            )
        samples = ""
        if measurement.samples > 1:
            samples = f"{measurement.samples:,} {'images' if measurement.split else 'blocks'}"
        title = METRICS[name].title if name in METRICS else text(name)
        value = _number(name, measurement.value, measurement)
        yield f"| {title} | {measurement.split or ''} | {value} | {interval} | {samples} |"


def _number(name: str, value: float, measurement: Measurement) -> str:
    if name in SHARES:
        return f"{100 * value:.1f} %"
    digits = f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 10 else f"{value:.3g}"
    if 0 < abs(value) < 1:
        digits = f"{value:.3f}" if abs(value) >= 0.01 else digits
    return f"{digits} {text(measurement.unit)}".rstrip()


def _data(card: Card) -> Iterator[str]:
    yield f"- Name: {text(card.data)}"
    yield f"- Fingerprint of its content: `{re.sub(r'[^0-9A-Za-z:+/=_.-]', '', card.fingerprint)}`"
    counts = ", ".join(f"{count:,} {text(split)}" for split, count in card.counts.items())
    yield f"- Images: {counts or 'not known'}"
    yield f"- Licence of the data: {text(card.licence) if card.licence else 'not known; ask whoever gave you the data'}"
    if card.key:
        yield f"- Architecture key: `{re.sub(r'[^0-9A-Za-z:_.-]', '', card.key)}`"


def _classes(task: TaskSpec) -> str:
    shown = [text(label) or "(no name)" for label in task.labels[:CLASSES_SHOWN]]
    more = task.outputs - len(shown)
    return ", ".join(shown) + (f", and {more:,} more, all in labels.json." if more else ".")


_USE = """\
Python 3.10 or later; in a fresh environment:

    pip install -r requirements.txt
    python predict.py picture.jpg a_folder/ --csv answers.csv

`predict.py --help` names the rest. From Python:

    from predict import Predictor
    for answer in Predictor(".").predict(["picture.jpg"]):
        print(answer.file, answer.label, answer.probability)

`model.onnx` takes the input `images`, uint8 of (batch, channels, height, width) as `decode.py` makes them, normalises
inside, and gives `logits`. `python model.py picture.jpg` does the same in PyTorch (needs torch and safetensors)."""

_CAVEATS = (
    "For pictures like those it was trained on. From another camera, place, population or time: measure it first.",
    "It always names one of its classes, also for a picture that shows none of them.",
    "The probabilities are the network's own and were not calibrated.",
    "Intervals cover the chance of which pictures were in the split, not a change of where pictures come from.",
    "Not a medical device, and not to be the only ground for a decision about a person.",
)

_FILES = """\
| file | what |
|---|---|
| `model.onnx` | the network; batch normalisation folded, free batch size |
| `predict.py`, `decode.py`, `decode.json` | predicts from files; how a file becomes pixels; its settings |
| `labels.json` | class names in the order of the outputs |
| `model.py`, `weights.safetensors` | the same network as plain PyTorch, and its weights |
| `requirements.txt` | what predict.py needs |"""
