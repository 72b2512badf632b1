"""Rows to stand beside: searches on the same tables that were measured once, by separate and simpler programs.

Regret after 50, 100 and 200 queries (mean ± standard error), then the median of queries to within 0.1 points and, in
brackets, how many runs got there, then the median to the best cell. Random search, evolution and local search ran for
500 queries, Optuna for 500 (repeats paid) and 300, SMAC3 for 200, the two sketches for 100 and 200. Where repeats are
paid every ask is a query, else as here. Local search, evolution with a population of 30 and the sketches are the
better ones of several settings tried on these tables, so they flatter a little; the peers ran at their defaults. The
sketches score every class at each step, which only a space as small as this allows.
"""

from __future__ import annotations

from typing import NamedTuple


class Reference(NamedTuple):
    """One row. Queries to a goal are written as `>500` where half of the runs did not get there."""

    name: str
    seeds: int
    at_50: str
    at_100: str
    at_200: str
    to_near: str
    to_best: str


RANDOM = "random search"
SMALL = "regularized evolution, population 10, sample 3"
LARGE = "regularized evolution, population 30, sample 10"
STEEPEST = "local search, steepest, 10 starts"
FIRST = "local search, first improvement, 10 starts"
TPE = "Optuna 5.0.0 TPE"
TPE_PAID = "Optuna 5.0.0 TPE, repeats paid"
SMAC_PAID = "SMAC3 2.4.1, repeats paid"
PROCESS = "sketch of a Gaussian process"
FOREST = "sketch of extra trees"

REFERENCE: dict[str, tuple[Reference, ...]] = {
    "cifar10": (
        Reference(RANDOM, 100, "0.769 ± 0.040", "0.544 ± 0.025", "0.373 ± 0.021", ">500 (26)", ">500"),
        Reference(SMALL, 100, "0.584 ± 0.041", "0.247 ± 0.025", "0.096 ± 0.011", "138 (92)", "447"),
        Reference(LARGE, 100, "0.452 ± 0.037", "0.128 ± 0.015", "0.031 ± 0.008", "94 (100)", "130.5"),
        Reference(STEEPEST, 100, "0.322 ± 0.022", "0.100 ± 0.018", "0.005 ± 0.003", "73.5 (100)", "90"),
        Reference(FIRST, 100, "0.149 ± 0.022", "0.038 ± 0.012", "0.000 ± 0.000", "43 (100)", "56.5"),
        Reference(TPE, 12, "0.220 ± 0.071", "0.040 ± 0.012", "0.000 ± 0.000", "56 (12)", "108.5"),
        Reference(TPE_PAID, 33, "0.299 ± 0.064", "0.092 ± 0.020", "0.018 ± 0.014", "79 (33)", "124"),
        Reference(SMAC_PAID, 10, "0.880 ± 0.129", "0.341 ± 0.067", "0.113 ± 0.038", ">200 (5)", ">200"),
        Reference(PROCESS, 12, "0.185 ± 0.071", "0.119 ± 0.062", "", "39 (9)", "52"),
        Reference(FOREST, 10, "0.294 ± 0.074", "0.189 ± 0.077", "0.138 ± 0.067", "63 (7)", "71.5"),
    ),
    "cifar100": (
        Reference(RANDOM, 100, "2.532 ± 0.087", "1.964 ± 0.076", "1.419 ± 0.070", ">500 (5)", ">500"),
        Reference(SMALL, 100, "1.900 ± 0.095", "1.049 ± 0.082", "0.389 ± 0.043", "366 (58)", "366"),
        Reference(LARGE, 100, "1.557 ± 0.092", "0.361 ± 0.054", "0.054 ± 0.024", "100.5 (99)", "100.5"),
        Reference(STEEPEST, 100, "1.383 ± 0.093", "0.290 ± 0.068", "0.022 ± 0.022", "83.5 (100)", "83.5"),
        Reference(FIRST, 100, "0.589 ± 0.085", "0.089 ± 0.040", "0.000 ± 0.000", "52 (100)", "52"),
        Reference(TPE, 12, "0.794 ± 0.198", "0.286 ± 0.095", "0.000 ± 0.000", "103 (12)", "103"),
        Reference(TPE_PAID, 97, "1.100 ± 0.089", "0.433 ± 0.051", "0.089 ± 0.029", "133 (97)", "133"),
        Reference(SMAC_PAID, 12, "2.913 ± 0.197", "1.317 ± 0.213", "0.256 ± 0.099", ">200 (6)", ">200"),
        Reference(PROCESS, 12, "0.251 ± 0.182", "0.000 ± 0.000", "", "36.5 (12)", "36.5"),
        Reference(FOREST, 11, "0.708 ± 0.201", "0.082 ± 0.066", "0.000 ± 0.000", "67 (11)", "67"),
    ),
    "imagenet": (
        Reference(RANDOM, 100, "1.751 ± 0.075", "1.258 ± 0.056", "0.966 ± 0.047", ">500 (13)", ">500"),
        Reference(SMALL, 100, "1.268 ± 0.074", "0.577 ± 0.052", "0.260 ± 0.025", "298 (68)", ">500"),
        Reference(LARGE, 100, "1.054 ± 0.066", "0.370 ± 0.036", "0.104 ± 0.013", "161 (88)", "304"),
        Reference(STEEPEST, 100, "1.020 ± 0.073", "0.470 ± 0.044", "0.176 ± 0.015", "281 (67)", ">500"),
        Reference(FIRST, 100, "0.658 ± 0.062", "0.304 ± 0.031", "0.132 ± 0.012", "204 (92)", "457"),
        Reference(TPE, 12, "0.795 ± 0.200", "0.391 ± 0.103", "0.212 ± 0.055", ">300 (4)", ">300"),
        Reference(TPE_PAID, 33, "0.963 ± 0.115", "0.492 ± 0.072", "0.289 ± 0.050", "346 (24)", ">500"),
        Reference(SMAC_PAID, 10, "2.005 ± 0.230", "0.999 ± 0.184", "0.401 ± 0.078", ">200 (1)", ">200"),
        Reference(PROCESS, 12, "0.782 ± 0.204", "0.156 ± 0.052", "", ">100 (6)", ">100"),
        Reference(FOREST, 10, "0.589 ± 0.119", "0.237 ± 0.066", "0.062 ± 0.018", "122.5 (9)", ">200"),
    ),
}
