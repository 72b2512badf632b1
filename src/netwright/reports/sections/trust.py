"""The parts that test the answer: 4 can I trust it, 5 what mattered."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from netwright.reports import words
from netwright.reports.answers import FEW, Epoch, Mistake
from netwright.reports.axes import Frame
from netwright.reports.diagnostics import (
    MOST_CLASSES,
    plot_calibration,
    plot_confusion,
    plot_curve,
    plot_effects,
    plot_importance,
)
from netwright.reports.importance import EXPLAINED
from netwright.reports.markup import Markup, tag
from netwright.reports.sections.parts import figure, section
from netwright.reports.story import Story
from netwright.reports.view import Image, RunView

# -- 4 -----------------------------------------------------------------------------------------------------------------


def trust(story: Story) -> Markup:
    """Confusions, mistakes, calibration and the learning curve of the winner."""
    parts = []
    if story.confusion is not None:
        parts.append(_confusion(story))
    if story.mistakes:
        parts.append(_mistakes(story))
    if story.calibration is not None and story.calibration.bins:
        told = story.calibration
        lean = "surer than it is right" if told.confidence > told.right else "less sure than it could be"
        says = (
            f"On average {100 * told.confidence:.1f} % sure and {100 * told.right:.1f} % right: "
            f"{'well calibrated' if told.error < 0.03 else lean} (mean distance {100 * told.error:.1f} points). "
            f"Dots are equally many {story.view.split} images each, with 90 % intervals."
        )
        picture = plot_calibration(told, Frame(440, 320, 46, 16, 30, 44))
        parts.append(figure(says, picture, title="Does it know when it is wrong?"))
    if any(entry.train_loss is not None or entry.validation_loss is not None for entry in story.curve):
        parts.append(_curve(story))
    if not parts:
        parts.append(tag("p", {"class": "none"}, "No network was tested yet."))
    return section(4, "trust", "Can I trust it?", tag("div", {"class": "grid"}, *parts))


def _confusion(story: Story) -> Markup:
    told = story.confusion
    assert told is not None  # narrowed by the caller
    rare = [row.label for row in told.classes if row.images < FEW]
    weakest = min((row for row in told.classes if row.images), key=lambda row: row.share)
    says = [
        f"Weakest class: {words.clipped(weakest.label, 40)}, {weakest.right} of {weakest.images} right",
        f"({100 * weakest.low:.0f} to {100 * weakest.high:.0f} %).",
    ]
    if rare:
        names = words.listed([words.clipped(name, 30) for name in rare[:5]])
        rest = f" and {len(rare) - 5} more classes" if len(rare) > 5 else ""
        says.append(f"With fewer than {FEW} {story.view.split} images nothing can be said about {names}{rest}.")
    pairs = tag(
        "ul",
        {"class": "pairs"},
        *(
            tag(
                "li",
                None,
                f"{words.clipped(p.true, 36)} taken for {words.clipped(p.answered, 36)}: {p.images} ({100 * p.share:.0f} %)",
            )
            for p in told.pairs[: 5 if len(told.labels) <= MOST_CLASSES else 10]
        ),
    )
    picture = plot_confusion(told) if len(told.labels) <= MOST_CLASSES else None
    if picture is not None:
        says.insert(0, "Rows are true classes, columns answers; shading is the share of the row.")
    return figure(" ".join(says), picture, pairs, title="What is taken for what?")


def _mistakes(story: Story) -> Markup:
    view = story.view
    items = [tag("li", None, _picture(view, entry), _mistake_words(entry, view.split)) for entry in story.mistakes]
    says = "The wrong answers the network was surest of."
    says += (
        " Images and file names were left out on request." if view.image is None else " Wrong labels hide here, too."
    )
    return figure(says, tag("ol", {"class": "mistakes"}, *items), title="The most confident mistakes")


def _picture(view: RunView, entry: Mistake) -> Markup | None:
    if view.image is None or view.split != "test":
        return None
    return tag("img", {"src": data_uri(view.image(entry.index)), "alt": f"test image {entry.index}"})


def _mistake_words(entry: Mistake, split: str) -> Markup:
    name = entry.name or f"{split} image {entry.index}"
    return tag(
        "div",
        None,
        tag("strong", {"title": entry.answered}, words.clipped(entry.answered, 24)),
        f" {100 * entry.confidence:.0f} %",
        tag("span", {"class": "true", "title": entry.true}, f"is {words.clipped(entry.true, 24)}"),
        tag("span", {"class": "file", "title": name}, words.clipped(name, 26)),
    )


def data_uri(image: Image) -> str:
    """A uint8 image (height, width, channels) as PNG, at most 96 pixels wide or high."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    if max(picture.size) > 96:
        picture.thumbnail((96, 96))
    content = io.BytesIO()
    picture.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _curve(story: Story) -> Markup:
    last = story.curve[-1]
    winner = story.view.trial(story.view.roles.winner)
    training = "the final training" if winner is not None and winner.source == "final" else "its training"
    says = f"{words.plural(len(story.curve), 'epoch')} of {training}."
    if last.train_loss is not None and last.validation_loss is not None:
        says += f" Loss ends at {last.train_loss:.3g} on training and {last.validation_loss:.3g} on validation images"
        lowest = rising_after(story.curve)
        says += f"; on validation images it was lowest around epoch {lowest} and rises after." if lowest else "."
    return figure(says, plot_curve(story.curve, Frame(440, 320, 50, 78, 30, 44)), title="Did the training settle?")


def rising_after(curve: Sequence[Epoch]) -> int | None:
    """The epoch after which validation loss, smoothed over a tenth of the training, rises for good; None if it does not."""
    known = [(entry.epoch, entry.validation_loss) for entry in curve if entry.validation_loss is not None]
    window = max(3, len(known) // 10)
    if len(known) < 2 * window:
        return None
    smooth = [sum(loss for _, loss in known[i : i + window]) / window for i in range(len(known) - window + 1)]
    lowest = min(range(len(smooth)), key=smooth.__getitem__)
    if lowest + window > 0.85 * len(known) or smooth[-1] < 1.15 * smooth[lowest]:
        return None
    return known[lowest + window // 2][0]


# -- 5 -----------------------------------------------------------------------------------------------------------------


def mattered(story: Story) -> Markup:
    """Importance of decisions, or how many trials are missing for it."""
    told = story.importance
    heading = "What mattered"
    if told.needed > 0:
        text = (
            f"Which decisions matter can be told from about 100 comparable trials on. This run has "
            f"{words.count(told.trials)}, so it needs {words.count(told.needed)} more."
        )
        return section(5, "mattered", heading, tag("p", {"class": "none"}, text))
    if told.explained <= EXPLAINED or not told.decisions:
        text = (
            f"Nothing measurably: over {words.count(told.trials)} trials of {words.plural(told.epochs, 'epoch')} the decisions "
            f"explain {100 * max(0.0, told.explained):.0f} % of the differences in quality."
        )
        return section(5, "mattered", heading, tag("p", {"class": "none"}, text))
    says = (
        f"From {words.count(told.trials)} trials of {words.plural(told.epochs, 'epoch')}: a random forest explains "
        f"{100 * told.explained:.0f} % of the differences, and loses this much when a decision is shuffled. Grey lines cross "
        "zero: not told apart from chance. [] stands for any position in a repeated part."
    )
    parts = [figure(says, plot_importance(told.decisions), title="Importance")]
    metric = story.view.metric.metric
    for name, effects in told.effects.items():
        if len(effects) > 1:
            caption = "Means of trials with this value, not what the value alone does."
            parts.append(figure(caption, plot_effects(effects, metric), title=words.clipped(name, 48)))
    return section(5, "mattered", heading, tag("div", {"class": "grid"}, *parts))
