"""A forest of extremely randomised trees, and leaves that take in more points than the trees were grown from.

Geurts, Ernst, Wehenkel, "Extremely Randomized Trees", Machine Learning 63, 2006, grown by scikit-learn, each tree from
a bootstrap sample, to one point a leaf. The mean of a prediction is that of the trees, its standard deviation theirs
(Hutter, Hoos, Leyton-Brown, LION 2011). A leaf predicts the mean of all points that fall into it, those that its tree
has not drawn among them. So new points count at once, without growing new trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def grow(rows: Array, targets: Array, *, trees: int, seed: int) -> list[Any]:
    """So many trees from rows (points, columns) and targets (points,). Equal arguments give equal trees."""
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(trees, bootstrap=True, n_jobs=1, random_state=seed % 2**32)
    model.fit(rows.astype(np.float32), targets)
    return [estimator.tree_ for estimator in model.estimators_]


@dataclass(frozen=True, slots=True)
class Forest:
    """`trees` of scikit-learn, and for each the sum and the number of targets by node: (nodes,) each."""

    trees: Sequence[Any]
    sums: Sequence[Array]
    counts: Sequence[Array]

    @classmethod
    def of(cls, trees: Sequence[Any], rows: Array, targets: Array) -> Forest:
        """With the points in its leaves that the trees were grown from, and others: (points, columns), (points,)."""
        empty = [np.zeros(tree.node_count) for tree in trees]
        return cls(trees, empty, empty).holding(rows, targets)

    def holding(self, rows: Array, targets: Array) -> Forest:
        """The same trees with more points (points, columns) in their leaves; a target is one number for each."""
        sums, counts = [], []
        for leaves, tree_sums, tree_counts in zip(self._leaves(rows), self.sums, self.counts, strict=True):
            sums.append(tree_sums + np.bincount(leaves, targets, len(tree_sums)))
            counts.append(tree_counts + np.bincount(leaves, minlength=len(tree_counts)))
        return Forest(self.trees, sums, counts)

    def believing(self, rows: Array) -> Forest:
        """As if `rows` had been observed at their predicted means."""
        return self.holding(rows, self.predict(rows)[0])

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the trees: (points, columns) -> (points,) each."""
        leaves = self._leaves(rows)
        values = [total[at] / count[at] for at, total, count in zip(leaves, self.sums, self.counts, strict=True)]
        return np.mean(values, axis=0), np.std(values, axis=0)

    def _leaves(self, rows: Array) -> list[NDArray[np.intp]]:
        """The leaf of each row in each tree."""
        given = np.ascontiguousarray(rows, dtype=np.float32)
        return [tree.apply(given) for tree in self.trees]
