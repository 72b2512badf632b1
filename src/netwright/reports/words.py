"""How numbers, times and networks are written: one form each, used on the page, in the terminal and in the verdict.

A number shows as many digits as its error allows: `92.6 ± 0.5 %`, never 92.5734.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from netwright.core.measurement import Measurement
from netwright.core.metrics import METRICS

PERCENT = frozenset({"accuracy", "balanced_accuracy"})
LOPSIDED = 1.5
"""An interval whose one side is more than so many times the other is written with both ends."""
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def decimals(error: float) -> int:
    """Digits behind the point that an error justifies: one significant digit of it, two when that digit is a 1."""
    if error <= 0 or not math.isfinite(error):
        return 0
    exponent = math.floor(math.log10(error))
    leading = round(error / 10.0**exponent, 6)
    return max(0, -exponent + (1 if leading < 1.95 else 0))


def fixed(value: float, digits: int) -> str:
    """`value` with thousands separated and `digits` behind the point; never `-0`."""
    text = f"{value:,.{digits}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def count(value: float) -> str:
    """`38,214`."""
    return fixed(value, 0)


def short(value: float) -> str:
    """`38k`, `1.2M`, `950`: for axes and narrow places."""
    for step, suffix in _STEPS:
        if abs(value) >= step * 0.9995:
            return f"{value / step:.3g}{suffix}"
    return f"{value:.3g}"


def significant(value: float, digits: int = 3) -> str:
    """`value` to some significant digits, without an exponent: `0.31`, `12.4`, `1,240`."""
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return fixed(round(value, digits - 1 - math.floor(math.log10(abs(value)))), places)


def plural(number: int, noun: str, many: str = "") -> str:
    """`1 trial`, `12 trials`."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def duration(seconds: float) -> str:
    """`3 min 20 s`, `2 h 5 min`, `4.2 s`, `35 ms`."""
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = round(seconds / 60)
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def title(metric: str) -> str:
    """What a metric is called in running text; `metric@target` keeps its target."""
    name, _, target = metric.partition("@")
    known = METRICS[name].title if name in METRICS else name.replace("_", " ")
    return f"{known} on {target}" if target else known


def heading(metric: str) -> str:
    """What a metric is called at the head of a column."""
    return {"macs": "MACs", "auc": "AUC", "memory": "memory"}.get(metric, title(metric))


def axis_title(metric: str) -> str:
    """The title of an axis, with its unit in brackets."""
    name = metric.partition("@")[0]
    unit = "%" if name in PERCENT else METRICS[name].unit if name in METRICS else ""
    return f"{title(metric)} ({unit})" if unit else title(metric)


def valued(metric: str, value: float, interval: tuple[float, float] | None = None) -> str:
    """A value of a metric with its unit and, where it has one, its interval: `92.6 ± 0.5 %`, `0.31 ms`, `38,214`."""
    name = metric.partition("@")[0]
    if name == "training_seconds":
        return duration(value)
    scale, unit = (100.0, "%") if name in PERCENT else (1.0, METRICS[name].unit if name in METRICS else "")
    value, (low, high) = value * scale, (end * scale for end in interval or (value, value))
    if name == "macs":
        text = short(value)
    elif low < high:
        text = _within(value, low, high)
    elif name in PERCENT:
        text = fixed(value, 1)
    elif value == round(value) and abs(value) < 1e15:
        text = count(value)
    else:
        text = significant(value)
    return f"{text} {unit}" if unit else text


def _within(value: float, low: float, high: float) -> str:
    """`92.6 ± 0.5`, or with both ends, `100 (77 to 100)`, where that would tell of values outside the interval."""
    half = (high - low) / 2
    digits = decimals(half)
    ends = fixed(low, digits), fixed(high, digits)
    lopsided = max(value - low, high - value) > LOPSIDED * min(value - low, high - value)
    if lopsided and ends != (fixed(value - half, digits), fixed(value + half, digits)):
        return f"{fixed(value, digits)} ({ends[0]} to {ends[1]})"
    return f"{fixed(value, digits)} ± {fixed(half, digits)}"


def half_width(measurement: Measurement) -> float | None:
    """Half of the 90 % interval, or None where the value is exact."""
    if measurement.low is None or measurement.high is None:
        return None
    return (measurement.high - measurement.low) / 2


def measured(metric: str, measurement: Measurement) -> str:
    """A measurement in its one form."""
    low, high = measurement.low, measurement.high
    return valued(metric, measurement.value, None if low is None or high is None else (low, high))


def bare(metric: str, measurement: Measurement) -> str:
    """A measurement without its error, in the digits the error allows: `92.6 %`."""
    return re.sub(r" (± \S+|\(\S+ to \S+\))", "", measured(metric, measurement))


def difference(metric: str, value: float, low: float, high: float) -> str:
    """A difference with its 90 % interval, signed: `+1.5 points (+0.8 to +2.2)`."""
    name = metric.partition("@")[0]
    scale, unit = (
        (100.0, " points") if name in PERCENT else (1.0, f" {METRICS[name].unit}" if METRICS[name].unit else "")
    )
    digits = max(1 if scale == 100.0 else 0, decimals((high - low) / 2 * scale))
    signed = [signed_fixed(number * scale, digits) for number in (value, low, high)]
    return f"{signed[0]}{unit} ({signed[1]} to {signed[2]})"


def signed_fixed(value: float, digits: int) -> str:
    """`+1.5`, `−0.3`, `0.0`: with a true minus sign."""
    text = fixed(abs(value), digits)
    if not text.strip("0.,"):
        return text
    return ("+" if value > 0 else "−") + text


def times(ratio: float) -> str:
    """`5.3 times`, `12 times`, `0.6 times`."""
    text = significant(ratio, 2)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} times"


def clipped(text: str, length: int) -> str:
    """At most `length` characters, the middle left out: both ends of a long name tell it apart."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def scalar(value: object) -> str:
    """A value of a decision: floats to three digits, tuples as a list."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return " + ".join(scalar(entry) for entry in value) or "none"
    return str(value)


_SHORT_FIELDS = {"kernel": "k", "stride": "s", "expand": "e", "groups": "g"}
_WIDTHS = ("width", "channels", "features", "units", "outputs")


def layer_in_words(layer: Mapping[str, Any]) -> str:
    """One layer as a few letters: `MBConv 24 k5 e3`; nested layers in brackets."""
    words = [str(layer.get("layer", "?"))]
    for name, value in layer.items():
        if name in _WIDTHS and value is not None:
            words.insert(1, scalar(value))
        elif name in _SHORT_FIELDS and value not in (None, 1, [1, 1]):
            words.append(_SHORT_FIELDS[name] + scalar(value))
        elif name == "kind" and isinstance(value, str):
            words.append(value)
    inner = [
        chain_in_words(value)
        for value in layer.values()
        if isinstance(value, list) and value and all(isinstance(entry, Mapping) and "layer" in entry for entry in value)
    ]
    return " ".join(words) + (f" [{'; '.join(inner)}]" if inner else "")


def chain_in_words(layers: Sequence[Mapping[str, Any]]) -> str:
    """A network in one line, equal neighbours folded: `Conv 16 k3 → MBConv 24 k5 ×3 → Linear`."""
    folded: list[list[Any]] = []
    for layer in layers:
        words = layer_in_words(layer)
        if folded and folded[-1][0] == words:
            folded[-1][1] += 1
        else:
            folded.append([words, 1])
    return " → ".join(words if times == 1 else f"{words} ×{times}" for words, times in folded)
