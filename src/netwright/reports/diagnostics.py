"""Pictures of what the winner answers and of what mattered: confusions, calibration, learning curve, importance."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.reports import words
from netwright.reports.answers import Calibration, Confusion, Epoch
from netwright.reports.axes import Frame, Scale, bottom_axis, box, label, left_axis, line, linear_ticks, path
from netwright.reports.importance import Decision, Effect
from netwright.reports.markup import Markup, join, tag

MOST_CLASSES = 20
NAME = 14


def plot_confusion(confusion: Confusion) -> Markup:
    """Rows are true classes, columns answers; the darker, the larger the share of its row. Up to 20 classes."""
    classes = len(confusion.labels)
    names = [words.clipped(name, NAME) for name in confusion.labels]
    widest = max(map(len, names))
    left = max(46.0, 14 + widest * 6.6)
    upright = widest * 6.6 < 380 / classes
    top = 36.0 if upright else 24 + widest * 5.2
    cell = min(36.0, (470 - left) / classes)
    frame = Frame(left + cell * classes + 8, top + cell * classes + 8, left, 8, top, 8)
    parts: list[Markup] = [label(left + 8, 12, "answered →", class_="axis"), label(2, 12, "true ↓", class_="axis")]
    for i, name in enumerate(names):
        middle = left + (i + 0.5) * cell
        if upright:
            parts.append(label(middle, top - 6, name, anchor="middle", class_="tick"))
        else:
            turned = {"transform": f"translate({middle + 4:.1f} {top - 6:.1f}) rotate(-52)", "class": "tick"}
            parts.append(tag("text", turned, name))
        parts.append(label(left - 6, top + (i + 0.5) * cell + 4, name, anchor="end", class_="tick"))
        parts.append(_confusion_row(confusion, i, left, top + i * cell, cell))
    return frame.svg("Confusion matrix: rows are true classes, columns are answers", *parts, class_="plot matrix")


def _confusion_row(confusion: Confusion, row: int, left: float, y: float, cell: float) -> Markup:
    counts = confusion.counts[row]
    total = sum(counts)
    parts: list[Markup] = []
    for column, number in enumerate(counts):
        share = number / total if total else 0.0
        level = 0 if number == 0 else 1 + min(8, int(share * 9))
        about = (
            f"{confusion.labels[row]} taken for {confusion.labels[column]}: {number} of {total}"
            if row != column
            else f"{confusion.labels[row]} answered rightly: {number} of {total}"
        )
        square = box(left + column * cell + 0.5, y + 0.5, cell - 1, cell - 1, f"cell s{level}")
        shown = None
        if number and cell >= 20:
            dark = " on-dark" if level >= 5 else ""
            shown = label(
                left + (column + 0.5) * cell, y + cell / 2 + 4, number, anchor="middle", class_=f"count{dark}"
            )
        parts.append(tag("g", {"data-tip": f"{about} ({100 * share:.0f} %)"} if number else None, square, shown))
    return join(parts)


def plot_calibration(calibration: Calibration, frame: Frame) -> Markup:
    """How often answers were right against how sure the network was; on the diagonal they agree."""
    left, top, right, bottom = frame.inner
    low = min(min(entry.confidence, entry.low) for entry in calibration.bins)
    low = max(0.0, min(0.9, low) - 0.02)
    x = Scale("linear", low, 1.0, left, right)
    y = Scale("linear", low, 1.0, bottom, top)
    parts: list[Markup] = []
    for entry in calibration.bins:
        at = x(entry.confidence)
        tip = f"{entry.images} images: {100 * entry.confidence:.0f} % sure, {100 * entry.right:.0f} % right"
        parts.append(
            tag(
                "g",
                {"data-tip": tip},
                line(at, y(entry.low), at, y(entry.high), "whisker"),
                tag("circle", {"cx": at, "cy": y(entry.right), "r": 4, "class": "ink"}),
            )
        )
    return frame.svg(
        "Calibration: share answered rightly against the network's confidence",
        left_axis(frame, y, "answered rightly (%)", _percent, 5),
        bottom_axis(frame, x, "confidence of the network (%)", _percent, 5),
        line(x(low), y(low), x(1), y(1), "diagonal"),
        *parts,
    )


def _percent(value: float) -> str:
    return f"{100 * value:.4g}"


def plot_curve(epochs: Sequence[Epoch], frame: Frame) -> Markup:
    """Training and validation loss by epoch, on a logarithmic axis."""
    left, top, right, bottom = frame.inner
    series = (
        ("training", "train", [(entry.epoch, entry.train_loss) for entry in epochs]),
        ("validation", "validation", [(entry.epoch, entry.validation_loss) for entry in epochs]),
    )
    losses = [max(value, 1e-5) for _, _, points in series for _, value in points if value is not None]
    y = Scale("log", min(losses) / 1.1, max(losses) * 1.1, bottom, top)
    x = Scale("linear", epochs[0].epoch, max(epochs[-1].epoch, epochs[0].epoch + 1), left, right)
    parts: list[Markup] = []
    ends: list[float] = []
    for name, class_, points in series:
        known = [(x(epoch), y(value)) for epoch, value in points if value is not None]
        if not known:
            continue
        parts.append(path(known, f"curve {class_}") if len(known) > 1 else join(()))
        if len(known) <= 60:
            parts += [tag("circle", {"cx": px, "cy": py, "r": 1.8, "class": f"curve {class_}"}) for px, py in known]
        name_at = known[-1][1] + 4
        if ends and abs(ends[0] - name_at) < 14:
            name_at = ends[0] + (14 if name_at >= ends[0] else -14)
        ends.append(name_at)
        parts.append(label(right + 6, name_at, name, class_="tick"))
    return frame.svg(
        "Learning curve: loss on training and validation images by epoch",
        left_axis(frame, y, "cross-entropy (nats)", words.short, 5),
        bottom_axis(frame, x, "epoch", lambda value: f"{value:g}", 6),
        *parts,
    )


def plot_importance(decisions: Sequence[Decision]) -> Markup:
    """A dot with whiskers for each decision."""
    row = 26.0
    frame = Frame(480, 34 + row * len(decisions) + 22, 190, 16, 22, 40)
    left, top, right, bottom = frame.inner
    low = min(0.0, *(entry.low for entry in decisions))
    high = max(0.05, *(entry.high for entry in decisions))
    x = Scale("linear", low, high, left, right)
    parts: list[Markup] = [line(x(0), top - 4, x(0), bottom, "zero")]
    for place, entry in enumerate(decisions):
        y = top + row * (place + 0.5)
        told = " told" if entry.low > 0 else ""
        tip = f"{entry.name}: {entry.importance:.2f} ({entry.low:.2f} to {entry.high:.2f})"
        parts.append(
            tag(
                "g",
                {"data-tip": tip},
                label(left - 8, y + 4, words.clipped(entry.name, 28), anchor="end", class_="tick"),
                line(x(entry.low), y, x(entry.high), y, f"effect{told}"),
                tag("circle", {"cx": x(entry.importance), "cy": y, "r": 4.5, "class": f"effect{told}"}),
            )
        )
    return frame.svg(
        "Importance of each decision, with 90 % intervals",
        bottom_axis(frame, x, "variance lost when the decision is shuffled", lambda value: f"{value:.3g}", 5),
        *parts,
    )


def plot_effects(effects: Sequence[Effect], metric: str) -> Markup:
    """Mean quality of the trials with each value, with 90 % intervals."""
    row = 26.0
    frame = Frame(480, 34 + row * len(effects) + 22, 120, 56, 8, 40)
    left, top, right, bottom = frame.inner
    low, high = min(entry.low for entry in effects), max(entry.high for entry in effects)
    margin = (high - low) * 0.05 or 0.01
    x = Scale("linear", low - margin, high + margin, left, right)
    scale = 100.0 if metric in words.PERCENT else 1.0
    ticks = linear_ticks(x.low * scale, x.high * scale, 5)
    parts: list[Markup] = [line(x(tick / scale), top, x(tick / scale), bottom, "grid") for tick in ticks]
    for place, entry in enumerate(effects):
        y = top + row * (place + 0.5)
        parts += [
            label(left - 8, y + 4, words.clipped(entry.value, 17), anchor="end", class_="tick"),
            line(x(entry.low), y, x(entry.high), y, "effect told"),
            tag("circle", {"cx": x(entry.mean), "cy": y, "r": 4.5, "class": "effect told"}),
            label(right + 8, y + 4, f"n {words.short(entry.trials)}", class_="tick"),
        ]
    return frame.svg(
        "Mean quality by value",
        bottom_axis(frame, x, f"mean {words.axis_title(metric)}", lambda value: f"{value * scale:.4g}", 5),
        *parts,
    )
