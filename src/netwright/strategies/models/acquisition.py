"""How much a point promises. Everything is on a logarithmic scale, which does not run out of digits far below the best.

Jones, Schonlau, Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998 (expected improvement);
Emmerich, Giannakoglou, Naujoks, IEEE TEC 10(4), 2006 (of hypervolume); Ament et al., "Unexpected Improvements to
Expected Improvement", NeurIPS 2023, arXiv 2310.20708 (logarithms). All values are larger-is-better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr

Improvement = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
"""Mean and standard deviation, (points, objectives) each, to the logarithm of what is expected to be gained."""
Array = NDArray[np.float64]
FARTHEST = -35.0
"""Standard deviations below the best beyond which all promise equally little."""
MARGIN = 0.1
FAR_ABOVE = 1e6
AUGMENTED = 0.05
"""How much all objectives together count in the augmented Chebyshev function (ParEGO's rho)."""
NODES = 5
"""Values that stand for an uncertain second objective (Gauss-Hermite quadrature)."""


def improvement_on(reached: Array, weights: Sequence[float]) -> Improvement:
    """Expected improvement on the points `reached` (n, objectives).

    Of the objective where there is one, of hypervolume where there are two, and where there are more of the augmented
    Chebyshev function with these `weights` (Knowles, "ParEGO", IEEE TEC 10(1), 2006), from the best of each objective on.
    It is taken of the means, with the standard deviation of the weighted sum.
    """
    if reached.shape[1] == 1:
        best = float(reached.max())
        return lambda mean, sd: log_expected_improvement(mean[:, 0], sd[:, 0], best)
    if reached.shape[1] == 2:
        edges, heights = _strips(reached)
        return lambda mean, sd: _hypervolume_improvement(mean, sd, edges, heights)
    shares = np.array(weights) / sum(weights)
    ideal = reached.max(axis=0)
    top = float(chebyshev(reached - ideal, shares).max())
    return lambda mean, sd: log_expected_improvement(chebyshev(mean - ideal, shares), np.sqrt(sd**2 @ shares**2), top)


def log_expected_improvement(mean: Array, sd: Array, best: Array | float) -> Array:
    """The logarithm of E[max(f - best, 0)] for f ~ N(mean, sd²); the arguments are broadcast."""
    sd = np.maximum(sd, 1e-9)
    z = np.maximum((mean - best) / sd, FARTHEST)
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    return np.log(sd) + np.log(np.maximum(density + z * ndtr(z), 1e-300))  # type: ignore[no-any-return]


def _hypervolume_improvement(mean: Array, sd: Array, edges: Array, heights: Array) -> Array:
    """Of two independent objectives. Below the second objective of a point the plane falls into strips; the gain in each
    is the strip's width times the improvement of the first objective on what it has reached over that strip."""
    uncertain = bool(sd[:, 1].any())
    abscissas, shares = np.polynomial.hermite_e.hermegauss(NODES) if uncertain else (np.zeros(1), np.ones(1))
    gains = log_expected_improvement(mean[:, :1], sd[:, :1], heights[None, :])
    terms = []
    for abscissa, share in zip(abscissas, shares / shares.sum(), strict=True):
        second = (mean[:, 1] + abscissa * sd[:, 1])[:, None]
        widths = np.maximum(np.clip(second, edges[:-1], edges[1:]) - edges[:-1], 1e-12)
        terms.append(logsumexp(gains, axis=1, b=widths) + np.log(share))
    return logsumexp(np.array(terms), axis=0)  # type: ignore[no-any-return]


def _strips(reached: Array) -> tuple[Array, Array]:
    """Edges (k + 1) along the second objective, from a reference point to far above all, and the best of the first
    objective between two of them (k). The reference lies a little below the worst that was reached: one beside the
    front alone would pay nothing for what lies beyond its ends."""
    order = np.lexsort((-reached[:, 0], -reached[:, 1]))
    best = np.maximum.accumulate(reached[order, 0])
    front = reached[order][np.append(True, best[1:] > best[:-1])]
    reference = reached.min(axis=0) - MARGIN
    edges = np.concatenate([[reference[1]], front[::-1, 1], [FAR_ABOVE]])
    return edges, np.append(front[::-1, 0], reference[0])


def chebyshev(values: Array, shares: Array) -> Array:
    """(points, objectives), 0 at the ideal point, to one number a point: mostly the worst of the weighted objectives."""
    weighted = values * shares
    return weighted.min(axis=1) + AUGMENTED * weighted.sum(axis=1)  # type: ignore[no-any-return]
