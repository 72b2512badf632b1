"""An ensemble of small neural networks, trained side by side: one product of matrices a layer for all of them.

White, Neiswanger, Savani, "BANANAS", AAAI 2021, arXiv 1910.11858: networks of equal shape with ReLU, trained by Adam
on the absolute error, from different initial weights and in different orders; that they disagree is the doubt. In
NumPy, since networks of this size spend their time in the overhead of calls, which a framework only adds to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Array = NDArray[np.float64]

BATCH = 32
EPOCHS, MOST_STEPS = 150, 600
"""Trained for so many epochs, but no more steps: from some hundred points on there is no need for all epochs."""
RATE = 0.01
"""Of Adam, at first; it falls to 0 along a cosine."""
DECAYS = (0.9, 0.999)


@dataclass(frozen=True, slots=True)
class Ensemble:
    """`weights` (networks, inputs, outputs) and `biases` (networks, 1, outputs) by layer; `low` and `span` (columns,)."""

    weights: list[Floats]
    biases: list[Floats]
    low: Floats
    span: Floats

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the networks: (points, columns) -> (points,) each."""
        outputs = self.outputs(rows)
        return outputs.mean(axis=0), outputs.std(axis=0)

    def outputs(self, rows: Array) -> Array:
        """Of each network: (points, columns) -> (networks, points)."""
        inputs = (rows.astype(np.float32) - self.low) / self.span - 0.5
        layers = _forward(np.broadcast_to(inputs, (len(self.weights[0]), *inputs.shape)), self.weights, self.biases)
        return layers[-1][:, :, 0].astype(np.float64)


def train(rows: Array, targets: Array, *, networks: int, layers: int, width: int, seed: int) -> Ensemble:
    """Networks of `layers` hidden layers from rows (points, columns) and targets (points,), these of unit scale.

    Columns are scaled to -0.5 … 0.5. Equal arguments give equal networks.
    """
    rng = np.random.default_rng(seed)
    low = rows.min(axis=0).astype(np.float32)
    span = np.maximum(rows.max(axis=0).astype(np.float32) - low, np.float32(1e-6))
    sizes = [rows.shape[1], *[width] * layers, 1]
    weights = [
        (rng.normal(size=(networks, inputs, outputs)) * np.sqrt(2.0 / max(inputs, 1))).astype(np.float32)
        for inputs, outputs in pairwise(sizes)
    ]
    ensemble = Ensemble(weights, [np.zeros((networks, 1, outputs), np.float32) for outputs in sizes[1:]], low, span)
    scaled = (rows.astype(np.float32) - low) / span - 0.5
    _adam(ensemble, scaled, targets.astype(np.float32), rng)
    return ensemble


def _adam(ensemble: Ensemble, inputs: Floats, targets: Floats, rng: np.random.Generator) -> None:
    """Train in place; each network goes through the points in an order of its own."""
    parameters = [*ensemble.weights, *ensemble.biases]
    first = [np.zeros_like(parameter) for parameter in parameters]
    second = [np.zeros_like(parameter) for parameter in parameters]
    networks, points = len(ensemble.weights[0]), len(targets)
    batches = -(-points // BATCH)
    steps = min(EPOCHS * batches, MOST_STEPS)
    for step in range(steps):
        if step % batches == 0:
            order = rng.permuted(np.tile(np.arange(points), (networks, 1)), axis=1)
        batch = order[:, step % batches * BATCH :][:, :BATCH]
        gradients = _gradients(ensemble, inputs[batch], targets[batch])
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        rate *= np.sqrt(1 - DECAYS[1] ** (step + 1)) / (1 - DECAYS[0] ** (step + 1))
        for parameter, m, v, gradient in zip(parameters, first, second, gradients, strict=True):
            m += (1 - DECAYS[0]) * (gradient - m)
            v += (1 - DECAYS[1]) * (gradient * gradient - v)
            parameter -= np.float32(rate) * m / (np.sqrt(v) + np.float32(1e-8))


def _gradients(ensemble: Ensemble, inputs: Floats, targets: Floats) -> list[Floats]:
    """Of the mean absolute error, by weights, then biases: inputs (networks, points, columns), targets (networks, points)."""
    values = _forward(inputs, ensemble.weights, ensemble.biases)
    back = np.sign(values[-1] - targets[:, :, None]) / np.float32(targets.shape[1])
    by_weights: list[Floats] = []
    by_biases: list[Floats] = []
    for layer in reversed(range(len(ensemble.weights))):
        by_weights.append(values[layer].transpose(0, 2, 1) @ back)
        by_biases.append(back.sum(axis=1, keepdims=True))
        if layer:
            back = (back @ ensemble.weights[layer].transpose(0, 2, 1)) * (values[layer] > 0)
    return [*reversed(by_weights), *reversed(by_biases)]


def _forward(inputs: Floats, weights: list[Floats], biases: list[Floats]) -> list[Floats]:
    """The inputs (networks, points, columns), and what each layer makes of them."""
    values = [inputs]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True), start=1):
        value = values[-1] @ weight + bias
        values.append(np.maximum(value, 0) if layer < len(weights) else value)
    return values
