"""A space of pipelines: how the features are prepared, which classifier learns from them, and with what settings.

It is the combined selection of an algorithm and its settings (CASH): Thornton, Hutter, Hoos, Leyton-Brown, "Auto-WEKA",
KDD 2013. A decision exists only where those it hangs on were taken that way, three levels deep. Most are numbers, and
most of these live on a logarithmic scale. The table below is all there is to the space: ours walks it, and the
peers are told of it (`peers.py`).

Ranges were set once, so that every pipeline trains in a fraction of a second; no strategy was looked at for them.
"""

from __future__ import annotations

from netwright.core.candidate import Value
from netwright.spaces.choices import Choice, choose, integer, real

from .parameters import Conditional, Parameter


def _below(of: str, when: Value | tuple[Value, ...], **choices: Choice) -> tuple[Parameter, ...]:
    """Parameters that hang on the decision `of`; they are called after the classifier or step that they belong to."""
    values = when if isinstance(when, tuple) else (when,)
    owner = str(when) if of in ("classifier", "reduction") else of.partition("/")[0]
    return tuple(Parameter(f"{owner}/{name}", choice, of, values) for name, choice in choices.items())


LAYERS = (1, 2, 3)

PARAMETERS = (
    Parameter("scaling", choose("none", "standard", "range", "quantile")),
    Parameter("reduction", choose("none", "pca", "select")),
    *_below("reduction", "pca", share=real(0.1, 1.0), whiten=choose(False, True)),
    *_below("reduction", "select", share=real(0.1, 1.0)),
    Parameter("classifier", choose("svm", "neighbours", "forest", "boosting", "logistic", "sgd", "mlp")),
    *_below("classifier", "svm", kernel=choose("linear", "rbf", "poly", "sigmoid"), c=real(1e-2, 1e3, log=True)),
    *_below("svm/kernel", ("rbf", "poly", "sigmoid"), gamma=real(1e-5, 10.0, log=True)),
    *_below("svm/kernel", ("poly", "sigmoid"), coef0=real(-1.0, 1.0)),
    *_below("svm/kernel", "poly", degree=integer(2, 5)),
    *_below(
        "classifier",
        "neighbours",
        k=integer(1, 50, log=True),
        weights=choose("uniform", "distance"),
        metric=choose("euclidean", "manhattan", "chebyshev", "cosine"),
    ),
    *_below(
        "classifier",
        "forest",
        kind=choose("random", "extra"),
        trees=integer(5, 40, log=True),
        criterion=choose("gini", "entropy"),
        features=real(0.05, 1.0, log=True),
        leaf=integer(1, 20, log=True),
        depth=choose("full", "limited"),
    ),
    *_below("forest/depth", "limited", levels=integer(2, 12)),
    *_below(
        "classifier",
        "boosting",
        stages=integer(5, 30, log=True),
        rate=real(0.01, 1.0, log=True),
        levels=integer(1, 4),
        subsample=real(0.3, 1.0),
        features=real(0.05, 0.3, log=True),
    ),
    *_below("classifier", "logistic", c=real(1e-4, 1e3, log=True), balanced=choose(False, True)),
    *_below(
        "classifier",
        "sgd",
        loss=choose("hinge", "log_loss", "modified_huber"),
        penalty=choose("l2", "l1", "elasticnet"),
        alpha=real(1e-6, 1e-1, log=True),
        schedule=choose("optimal", "constant", "invscaling"),
    ),
    *_below("sgd/penalty", "elasticnet", l1_ratio=real(0.0, 1.0)),
    *_below("sgd/schedule", ("constant", "invscaling"), rate=real(1e-4, 1.0, log=True)),
    *_below("sgd/schedule", "invscaling", power=real(0.1, 0.9)),
    *_below(
        "classifier",
        "mlp",
        layers=choose(*LAYERS),
        activation=choose("relu", "tanh", "logistic"),
        rate=real(1e-4, 1e-1, log=True),
        decay=real(1e-6, 1.0, log=True),
        batch=integer(32, 256, log=True),
    ),
    *(
        parameter
        for layer in LAYERS
        for parameter in _below("mlp/layers", LAYERS[layer - 1 :], **{f"width{layer}": integer(4, 64, log=True)})
    ),
)
"""Every decision there may be, after those it hangs on."""


class Pipelines(Conditional):
    """The space as netwright searches it: candidates that are nothing but their decisions."""

    name = "pipelines"
    parameters = PARAMETERS
