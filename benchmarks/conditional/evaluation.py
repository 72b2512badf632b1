"""What a pipeline is worth: its accuracy by cross-validation on a small data set that scikit-learn ships.

Deterministic: the folds are fixed, and so is the seed of whatever a model draws. Training is bounded by numbers of
steps, never by the clock. Everything is trained anew inside each fold, the preparation of the features, too.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from netwright.core.candidate import Value

from .parameters import Decisions

FOLDS = 2
"""Two, because they leave most examples to be tested on for the time of a training."""


@dataclass(frozen=True)
class DataSet:
    """Features (examples, features), labels (examples,), and how often the cross-validation is repeated on new folds.

    The repeats make an answer finer: one example in one of them is the least that two answers differ by.
    """

    features: np.ndarray
    labels: np.ndarray
    repeats: int


DATA = {"digits": "Digits", "breast-cancer": "Breast cancer"}
"""The data sets: the name in scikit-learn, and what it is called."""
REPEATS = {"digits": 1, "breast-cancer": 3}


@cache
def load(name: str) -> DataSet:
    """A data set of `scikit-learn` by name."""
    from sklearn import datasets

    loader = getattr(datasets, f"load_{name.replace('-', '_')}")
    features, labels = loader(return_X_y=True)
    return DataSet(features, labels, REPEATS[name])


def accuracy(data: str, decisions: Decisions) -> float:
    """Share of examples that are classified rightly, in percent, over all folds and repeats."""
    from sklearn.model_selection import RepeatedStratifiedKFold

    given = load(data)
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=given.repeats, random_state=0)
    right = 0
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # training that ends before it has converged is meant
        for train, test in folds.split(given.features, given.labels):
            model = build(decisions, examples=len(train), features=given.features.shape[1])
            model.fit(given.features[train], given.labels[train])
            right += int((model.predict(given.features[test]) == given.labels[test]).sum())
    return 100 * right / (len(given.labels) * given.repeats)


# -- from decisions to models ------------------------------------------------------------------------------------------


def build(decisions: Decisions, *, examples: int, features: int) -> Any:
    """The pipeline of these decisions, untrained, for training data of this size."""
    from sklearn.pipeline import make_pipeline

    kind = str(decisions["classifier"])
    own = {name.partition("/")[2]: value for name, value in decisions.items() if name.startswith(f"{kind}/")}
    steps = [_scaler(decisions["scaling"], examples), _reducer(decisions, features), CLASSIFIERS[kind](**own)]
    return make_pipeline(*steps)


def _scaler(scaling: Value, examples: int) -> Any:
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

    match scaling:
        case "standard":
            return StandardScaler()
        case "range":
            return MinMaxScaler()
        case "quantile":
            return QuantileTransformer(n_quantiles=min(100, examples), output_distribution="normal", random_state=0)
    return "passthrough"


def _reducer(decisions: Decisions, features: int) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.feature_selection import SelectKBest

    if decisions["reduction"] == "pca":
        return PCA(_count(decisions["pca/share"], features), whiten=decisions["pca/whiten"], random_state=0)
    if decisions["reduction"] == "select":
        return SelectKBest(k=_count(decisions["select/share"], features))
    return "passthrough"


def _count(share: Any, features: int) -> int:
    return max(1, round(share * features))


def _svm(c: float, kernel: str, gamma: float = 1.0, coef0: float = 0.0, degree: int = 3) -> Any:
    from sklearn.svm import SVC

    return SVC(C=c, kernel=kernel, gamma=gamma, coef0=coef0, degree=degree, max_iter=2_000, random_state=0)


def _neighbours(k: int, weights: str, metric: str) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(k, weights=weights, metric=metric)


def _forest(
    kind: str, trees: int, criterion: str, features: float, leaf: int, depth: str, levels: int | None = None
) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    return (ExtraTreesClassifier if kind == "extra" else RandomForestClassifier)(
        trees,
        criterion=criterion,
        max_features=features,
        min_samples_leaf=leaf,
        max_depth=levels,
        random_state=0,
    )


def _boosting(stages: int, rate: float, levels: int, subsample: float, features: float) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(
        n_estimators=stages,
        learning_rate=rate,
        max_depth=levels,
        subsample=subsample,
        max_features=features,
        random_state=0,
    )


def _logistic(c: float, balanced: bool) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, class_weight="balanced" if balanced else None, max_iter=50)


def _sgd(
    loss: str,
    penalty: str,
    alpha: float,
    schedule: str,
    l1_ratio: float = 0.15,
    rate: float = 0.01,
    power: float = 0.5,
) -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(
        loss=loss,
        penalty=penalty,
        alpha=alpha,
        l1_ratio=l1_ratio,
        learning_rate=schedule,
        eta0=rate,
        power_t=power,
        max_iter=20,
        tol=None,
        random_state=0,
    )


def _mlp(layers: int, activation: str, rate: float, decay: float, batch: int, **widths: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        tuple(widths[f"width{layer}"] for layer in range(1, layers + 1)),
        activation=activation,
        learning_rate_init=rate,
        alpha=decay,
        batch_size=batch,
        max_iter=10,
        random_state=0,
    )


CLASSIFIERS = {
    "svm": _svm,
    "neighbours": _neighbours,
    "forest": _forest,
    "boosting": _boosting,
    "logistic": _logistic,
    "sgd": _sgd,
    "mlp": _mlp,
}
