"""Weights of a child from those of its parent, so that it goes on from what the parent has learned.

Chen, Goodfellow, Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016, arXiv 1511.05641; Wei, Wang,
Rui, Chen, "Network Morphism", ICML 2016, arXiv 1603.01670; Real et al., "Large-Scale Evolution of Image Classifiers",
ICML 2017, arXiv 1703.01041 (tensors that survive a mutation are copied).

The steps of the child's plan are taken in order. Each is found to stand for a step of the parent, channel by channel,
and its weights are chosen so that it computes the same where that is possible:

    layer kept              copied, with the statistics of its normalisation
    wider                   copies of channels; who reads them divides by the number of copies (`channels`)
    narrower                the strongest channels by L1 norm, in everything that shares them
    larger, smaller kernel  zeros around; the centre
    layer added             the identity, where its activation leaves what it is given as it is (ReLU after ReLU)
    branch added to a sum   its last normalisation (or layer) at zero, so that the sum is what it was
    inputs added            zero columns for them
    anything else           fresh

Where the paper on wider layers adds noise to the copies at once, it is added here last and on request (`noise`): before
it, a child whose function is `preserved` computes what its parent does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from netwright.core.plan import Plan, Step
from netwright.core.seeding import derive
from netwright.networks.channels import (
    NEW,
    NO_CLASS,
    Array,
    Channels,
    carried,
    channel_map,
    classes,
    duplicates,
    identity_weight,
    position_map,
    resized,
)
from netwright.networks.counterparts import WEIGHTED, counterparts, depthwise, readers
from netwright.networks.values import NORM_EPSILON, Values, unchanged, vanishes
from netwright.networks.weights import random_weights

Kind = Literal["exact", "sliced", "widened", "identity", "fresh"]
KINDS: tuple[Kind, ...] = ("exact", "sliced", "widened", "identity", "fresh")


@dataclass(frozen=True, slots=True)
class Inherited:
    """A child's weights by state-dict name, and for each of these names where it comes from.

    `exact`: the parent's numbers as they are; `widened`: all of them, with copies, zeros or shares; `sliced`: some of
    them; `identity`: chosen so that the layer changes nothing; `fresh`: drawn. `preserved` says that the child, in
    evaluation mode and without noise, computes what its parent does. `norms` are normalisations that are an identity
    by their stored statistics (mean 0, variance 1) alone, and want those of what they are given to be one in training.
    """

    weights: dict[str, Array]
    kinds: dict[str, Kind]
    preserved: bool
    norms: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """How many tensors are of each kind."""
        found = Counter(self.kinds.values())
        return {kind: found[kind] for kind in KINDS if found[kind]}


def inherit(
    parent: Plan,
    weights: Mapping[str, Array],
    child: Plan,
    edit: Mapping[str, Sequence[str]],
    *,
    seed: int,
    noise: float = 0.0,
) -> Inherited:
    """The weights that `child` starts with, from a parent's plan and `weights` (names and shapes of `weight_shapes`).

    `edit` is what the mutation added, removed and changed. A layer that it merely added is an identity wherever it can
    be; one that came in place of another is one only where the child so keeps its parent's function. Random numbers
    (copies, fresh weights, noise) are a function of `seed`. `noise`, as a share of a weight's deviation, sets copies
    apart (equal ones would have equal gradients for ever) and wakes branches that were put to zero.
    """
    heir = _Heir(parent, weights, child, seed, identities=True)
    added_only = bool(edit.get("added")) and not (edit.get("removed") or edit.get("changed"))
    if not (heir.preserved or added_only):
        heir = _Heir(parent, weights, child, seed, identities=False)
    if noise > 0:
        heir.add_noise(noise)
    return Inherited(heir.weights, heir.kinds, heir.preserved, tuple(sorted(heir.norms)))


@dataclass(frozen=True, slots=True)
class Stand:
    """What a child's activation stands for: `channels` of what a `step` of the parent gives; `exact`: it is equal."""

    step: int
    channels: Channels
    exact: bool


@dataclass(slots=True)
class _Heir:
    """One pass over the child's steps. `identities`: layers the parent lacks change nothing where they can."""

    parent: Plan
    old: Mapping[str, Array]
    child: Plan
    seed: int
    identities: bool
    weights: dict[str, Array] = field(init=False)
    kinds: dict[str, Kind] = field(init=False)
    norms: set[str] = field(default_factory=set)
    stands: list[Stand | None] = field(default_factory=list)
    pairs: dict[int, int] = field(init=False)
    values: Values = field(init=False)
    copies: dict[str, Channels] = field(default_factory=dict)
    silenced: set[str] = field(default_factory=set)
    _fresh: dict[str, Array] = field(init=False)
    _classes: list[int] = field(init=False)
    _readers: list[list[int]] = field(init=False)
    _maps: dict[tuple[int, int], Channels] = field(default_factory=dict)
    _groups: dict[int, tuple[int, int]] = field(default_factory=dict)
    _kept: set[int] = field(init=False)

    def __post_init__(self) -> None:
        kept = next((array.dtype for array in self.old.values() if array.dtype.kind == "f"), np.dtype(np.float32))
        drawn = random_weights(self.child, self.seed)
        self._fresh = {name: array.astype(kept) if array.dtype.kind == "f" else array for name, array in drawn.items()}
        self.weights = dict(self._fresh)
        self.kinds = dict.fromkeys(self.weights, "fresh")
        self.pairs = counterparts(self.parent, self.child)
        self.values = Values(self.parent)
        self._classes = classes(self.child)
        self._readers = readers(self.child.steps)
        self._kept = {self.child.steps[index].group for index in self.pairs}
        for index in self.pairs:
            self._bind(index)
        for index in range(len(self.child.steps)):
            self.stands.append(self._visit(index))

    @property
    def preserved(self) -> bool:
        """Whether the last step gives what the parent's does."""
        last = self.stands[-1]
        return last is not None and last.exact and last.step == len(self.parent.steps) - 1

    # -- one step --------------------------------------------------------------------------------------------------

    def _visit(self, index: int) -> Stand | None:
        step = self.child.steps[index]
        match step.op:
            case "input" | "normalize":
                same = self.parent.steps[index].op == step.op and self.parent.steps[index].shape == step.shape
                return Stand(index, np.arange(step.shape[0]), same)
            case "conv" | "linear":
                return self._layer(index) if index in self.pairs else self._new_layer(index)
            case "norm":
                return self._norm(index)
            case "add":
                return self._sum(index)
            case "mul":
                return self._product(step)
            case "concat":
                return self._side_by_side(step)
            case "flatten":
                return self._flat(step)
            case "zero":
                return None
        return self._function(step)

    def _layer(self, index: int) -> Stand | None:
        """A convolution or linear layer that the parent has, too."""
        step, number = self.child.steps[index], self.pairs[index]
        old, weight = self.parent.steps[number], self.old[f"{self.parent.steps[number].name}.weight"]
        source = self.parent.steps[old.inputs[0]]
        given, arrives = self._arriving(step, source.shape[0], old.inputs[0])
        own = depthwise(step)
        out = given if own else self._map(self._classes[index], old.shape[0], step.shape[0])
        if step.op == "conv":
            weight = resized(weight, step.attributes["kernel"])
        groups = (
            {"old_groups": old.attributes["groups"], "groups": step.attributes["groups"]} if step.op == "conv" else {}
        )
        taken, complete = carried(weight, out, given, **groups)
        if np.all(given == NEW):
            return None
        taken[out == NEW] = self._fresh[f"{step.name}.weight"][out == NEW]
        self._put(step, "weight", taken, old, out, cut=self._cuts(step, old, out))
        if step.attributes["bias"] and old.attributes["bias"]:
            self._vector(step, "bias", old, out)
        if not own:
            self.copies[step.name] = out
        same_bias = step.attributes["bias"] or not old.attributes["bias"]
        exact = arrives and bool(complete[out != NEW].all()) and same_bias and _same_window(step, old)
        return Stand(number, out, exact)

    def _arriving(self, step: Step, width: int, expected: int) -> tuple[Channels, bool]:
        """The parent's channels that a step is given, of `width` that its counterpart reads, and whether they are equal."""
        stand = self.stands[step.inputs[0]]
        if stand is None or self.parent.steps[stand.step].shape[0] != width:
            return position_map(width, self.child.steps[step.inputs[0]].shape[0]), False
        return stand.channels, stand.exact and stand.step == self.values.same[expected]

    def _new_layer(self, index: int) -> Stand | None:
        """A convolution or linear layer of the child alone: the identity where that can be, else fresh."""
        step = self.child.steps[index]
        stand = self.stands[step.inputs[0]]
        if not self.identities or stand is None or not self._can_be_identity(index, stand):
            return None
        width = self.parent.steps[stand.step].shape[0]
        out = stand.channels if depthwise(step) else self._map(self._classes[index], width, step.shape[0])
        identity, complete = identity_weight(step, out, stand.channels)
        if not complete or np.setdiff1d(stand.channels, out).size:
            return None
        self.weights[f"{step.name}.weight"] = identity.astype(self._fresh[f"{step.name}.weight"].dtype)
        for name in self._names(step):
            self.kinds[name] = "identity"
        if not depthwise(step):
            self.copies[step.name] = out
        return Stand(stand.step, out, stand.exact)

    def _can_be_identity(self, index: int, stand: Stand) -> bool:
        """Whether this step, and all new ones after it in its layer, can hand on what the first is given."""
        low, high = self.values.ranges[stand.step]
        group = self.child.steps[index].group
        for number in range(index, len(self.child.steps)):
            step = self.child.steps[number]
            if step.group != group or number in self.pairs:
                break
            if step.op == "activation" and unchanged(step.attributes["function"], low, high):
                continue
            if step.op == "conv" and step.attributes["stride"] == (1, 1):
                continue
            if step.op not in ("linear", "norm"):
                return False
        return True

    def _norm(self, index: int) -> Stand | None:
        """Batch normalisation: the parent's, channel by channel; a new one of something known is the identity."""
        step = self.child.steps[index]
        stand = self.stands[step.inputs[0]]
        number = self.pairs.get(index)
        if number is not None:
            old = self.parent.steps[number]
            channels, exact = self._arriving(step, old.shape[0], old.inputs[0])
            for name in ("weight", "bias", "running_mean", "running_var"):
                self._vector(step, name, old, channels)
            self._put(step, "num_batches_tracked", self.old[f"{old.name}.num_batches_tracked"].copy(), old, channels)
            return Stand(number, channels, exact)
        if stand is None or np.any(stand.channels == NEW):
            return None
        gamma = self.weights[f"{step.name}.weight"]
        self.weights[f"{step.name}.weight"] = np.full_like(gamma, np.sqrt(1 + NORM_EPSILON))
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            self.kinds[f"{step.name}.{name}"] = "identity"
        self.norms.add(step.name)
        return stand

    def _function(self, step: Step) -> Stand | None:
        """A step without weights and with one input: the parent's, where it does the same to what this one is given."""
        stand = self.stands[step.inputs[0]]
        if stand is None or step.op == "dropout":
            return stand
        same = self.values.result(step, (stand.step,))
        if same is not None:
            return Stand(same, stand.channels, stand.exact)
        if step.op == "activation" and unchanged(step.attributes["function"], *self.values.ranges[stand.step]):
            return stand
        like = self.values.alike(stand.step, step.op)
        return Stand(stand.step if like is None else like, stand.channels, False)

    def _flat(self, step: Step) -> Stand | None:
        """An image as a vector: the map of channels, once for each place."""
        stand = self.stands[step.inputs[0]]
        if stand is None:
            return None
        old, new = self.parent.steps[stand.step].shape, self.child.steps[step.inputs[0]].shape
        number = self.values.alike(stand.step, "flatten")
        if number is None:
            return None
        if old[1:] != new[1:]:
            return Stand(number, np.full(step.shape[0], NEW), False)
        places = old[1] * old[2]
        channels = stand.channels[:, None] * places + np.arange(places)
        return Stand(number, np.where(stand.channels[:, None] == NEW, NEW, channels).reshape(-1), stand.exact)

    # -- joins -----------------------------------------------------------------------------------------------------

    def _sum(self, index: int) -> Stand | None:
        """A sum that the parent has, with or without branches that can be put to zero; else one much like it."""
        step = self.child.steps[index]
        given = [(source, self.stands[source]) for source in step.inputs]
        found = self._known_sum([stand for _, stand in given]) or self._sum_with_silence(given)
        if found is not None:
            return found
        known = [stand for _, stand in given if stand is not None]
        if not known:
            return None
        terms = sum((self.values.terms[stand.step] for stand in known), Counter[int]())
        number = self.values.sum_like(terms)
        main = known[0]
        if number is None or self.parent.steps[number].shape[0] != self.parent.steps[main.step].shape[0]:
            number = main.step
        return Stand(number, main.channels, False)

    def _known_sum(self, given: Sequence[Stand | None]) -> Stand | None:
        """What the sum of these is in the parent; None where it is nothing there."""
        known = [stand for stand in given if stand is not None]
        if not known or len(known) < len(given):
            return None
        number = self.values.sum_of(sum((self.values.terms[stand.step] for stand in known), Counter[int]()))
        if number is None:
            return None
        channels = known[0].channels
        agreed = all(np.array_equal(stand.channels, channels) for stand in known)
        return Stand(number, channels, agreed and all(stand.exact for stand in known))

    def _sum_with_silence(self, given: Sequence[tuple[int, Stand | None]]) -> Stand | None:
        """What a sum is in the parent when its new branches are put to zero: all of them, or all but a short one."""
        branches = {source: branch for source, _ in given if (branch := self._new_branch(source))}
        if not self.identities or not branches:
            return None
        by_length = sorted(branches, key=lambda source: len(branches[source]))
        for spared in (None, *by_length):
            silent = [source for source in branches if source != spared]
            found = self._known_sum([stand for source, stand in given if source not in silent])
            if silent and found is not None:
                for source in silent:
                    self._silence(branches[source])
                return found
        return None

    def _new_branch(self, source: int) -> list[Step]:
        """The new steps that only this sum depends on, from its end, where they come to 0 with a weight; else none."""
        branch: list[Step] = []
        while True:
            step = self.child.steps[source]
            if len(self._readers[source]) > 1 or len(step.inputs) != 1 or step.group in self._kept:
                break
            branch.append(step)
            source = step.inputs[0]
        end = next((place for place, step in enumerate(branch) if step.op in WEIGHTED), len(branch))
        return branch if end < len(branch) and all(vanishes(step) for step in branch[:end]) else []

    def _silence(self, branch: Sequence[Step]) -> None:
        """Put the last weighted step of a new branch to zero; what comes before it in the branch is fresh."""
        for step in branch:
            self._forget(step)
        name = next(step.name for step in branch if step.op in WEIGHTED)
        for part in (f"{name}.weight", f"{name}.bias"):
            if part in self.weights:
                self.weights[part] = np.zeros_like(self.weights[part])
                self.kinds[part] = "identity"
        self.silenced.add(name)

    def _forget(self, step: Step) -> None:
        """Fresh weights for a step."""
        self.norms.discard(step.name)
        self.copies.pop(step.name, None)
        for name in self._names(step):
            self.weights[name] = self._fresh[name]
            self.kinds[name] = "fresh"

    def _product(self, step: Step) -> Stand | None:
        """Channels weighed by a gate."""
        image, gate = (self.stands[source] for source in step.inputs)
        if image is None:
            return None
        number = None if gate is None else self.values.result(step, (image.step, gate.step))
        if gate is None or number is None:
            like = self.values.alike(image.step, "mul")
            return Stand(image.step if like is None else like, image.channels, False)
        agreed = np.array_equal(image.channels, gate.channels)
        return Stand(number, image.channels, agreed and image.exact and gate.exact)

    def _side_by_side(self, step: Step) -> Stand | None:
        """Each part's channels where the parent's concatenation has them; others are new."""
        parts = [(source, self.stands[source]) for source in step.inputs]
        number = self.values.concat_like([stand.step for _, stand in parts if stand is not None], step.address)
        if number is None:
            return None
        starts = self.values.starts(number)
        channels, exact = [], True
        for source, stand in parts:
            width = self.child.steps[source].shape[0]
            if stand is None or stand.step not in starts:
                channels.append(np.full(width, NEW))
                continue
            channels.append(np.where(stand.channels == NEW, NEW, stand.channels + starts[stand.step]))
            exact = exact and stand.exact
        return Stand(number, np.concatenate(channels), exact)

    # -- channels --------------------------------------------------------------------------------------------------

    def _bind(self, index: int) -> None:
        """Grouped convolutions bind the channels of their classes."""
        step, old = self.child.steps[index], self.parent.steps[self.pairs[index]]
        if step.op != "conv" or step.attributes["groups"] == 1 or depthwise(step):
            return
        groups, before = step.attributes["groups"], old.attributes["groups"]
        for number, width in ((self._classes[index], old.shape[0]), (self._class_read(step), self._width_read(old))):
            if groups == before:
                self._groups.setdefault(number, (groups, 1))
            elif before > 1:
                self._groups.setdefault(number, (1, width // before))

    def _class_read(self, step: Step) -> int:
        return self._classes[step.inputs[0]]

    def _width_read(self, old: Step) -> int:
        return self.parent.steps[old.inputs[0]].shape[0]

    def _map(self, number: int, old: int, new: int) -> Channels:
        """The one map of a class of the child's channels from `old` channels of the parent."""
        if (number, old) not in self._maps:
            rng = np.random.default_rng(derive(self.seed, "channels", number, old))
            blocks, unit = self._groups.get(number, (1, 1))
            strength = self._strength(number, old) if new < old else np.zeros(old)
            self._maps[number, old] = channel_map(old, new, strength, rng, blocks=blocks, unit=unit)
        return self._maps[number, old]

    def _strength(self, number: int, width: int) -> Array:
        """The L1 norm of each of `width` channels, over all of the parent's layers that make this class."""
        total = np.zeros(width)
        for index, other in self.pairs.items():
            old = self.parent.steps[other]
            if number != NO_CLASS and self._classes[index] == number and old.op != "norm" and old.shape[0] == width:
                weight = np.abs(self.old[f"{old.name}.weight"])
                total += weight.reshape(width, -1).sum(axis=1)
        return total

    # -- tensors ---------------------------------------------------------------------------------------------------

    def _names(self, step: Step) -> list[str]:
        return [name for name in self._fresh if name.rpartition(".")[0] == step.name]

    def _vector(self, step: Step, part: str, old: Step, channels: Channels) -> None:
        """A number for each channel, the parent's where the channel is."""
        theirs = self.old[f"{old.name}.{part}"]
        mine = self._fresh[f"{step.name}.{part}"]
        self._put(step, part, np.where(channels == NEW, mine, theirs[channels]).astype(mine.dtype), old, channels)

    def _put(self, step: Step, part: str, value: Array, old: Step, channels: Channels, *, cut: bool = False) -> None:
        """Take a tensor over, and say how much of the parent's it holds."""
        name, theirs = f"{step.name}.{part}", self.old[f"{old.name}.{part}"]
        self.weights[name] = np.require(value, requirements="C")
        if value.shape == theirs.shape and np.array_equal(value, theirs):
            self.kinds[name] = "exact"
        else:
            missing = np.setdiff1d(np.arange(old.shape[0]), channels).size > 0
            self.kinds[name] = "sliced" if cut or missing else "widened"

    def _cuts(self, step: Step, old: Step, out: Channels) -> bool:
        """Whether some of a layer's weight is left out: inputs, or the rim of its kernel."""
        width = self._width_read(old)
        given, _ = self._arriving(step, width, old.inputs[0])
        smaller = step.op == "conv" and any(
            mine < theirs for mine, theirs in zip(step.attributes["kernel"], old.attributes["kernel"], strict=True)
        )
        return smaller or np.setdiff1d(np.arange(width), given).size > 0

    def add_noise(self, share: float) -> None:
        """Set copies apart, and branches at zero in motion."""
        rng = np.random.default_rng(derive(self.seed, "noise"))
        for name, out in self.copies.items():
            weight = self.weights[f"{name}.weight"]
            again = duplicates(out)
            drawn = rng.standard_normal(weight.shape) * (share * weight.std())
            drawn[~again] = 0
            self.weights[f"{name}.weight"] = (weight + drawn).astype(weight.dtype)
        for name in sorted(self.silenced):
            zeros = self.weights[f"{name}.weight"]
            scale = max(self._fresh[f"{name}.weight"].std(), float(zeros.ndim == 1))
            self.weights[f"{name}.weight"] = (rng.standard_normal(zeros.shape) * (share * scale)).astype(zeros.dtype)


def _same_window(step: Step, old: Step) -> bool:
    """Whether a convolution is the other's, or that with zeros around its kernel."""
    if step.op != "conv":
        return True
    return all(
        mine["stride"][axis] == theirs["stride"][axis]
        and mine["kernel"][axis] >= theirs["kernel"][axis]
        and mine["padding"][axis] - theirs["padding"][axis] == (mine["kernel"][axis] - theirs["kernel"][axis]) / 2
        for mine, theirs in [(step.attributes, old.attributes)]
        for axis in (0, 1)
    )
