"""A space of your own, arrays as data, and a hard limit: a network of at most 4,000 parameters.

From the command line the same space is `--space examples/own_space.py:space`.
"""

from sklearn.datasets import load_digits

import netwright as nw
from netwright.spaces import Conv, Dropout, GlobalPool, Recipe, Separable, Space, choose, real, repeat

space = Space(
    {
        "stem": Conv(width=choose(6, 8, 12), stride=choose(1, 2)),
        "body": repeat(choose(Conv(kernel=choose(1, 3)), Separable(width=choose(16, 24, 32), skip=choose(0, 1))), 1, 4),
        "head": [GlobalPool(), Dropout(rate=choose(0.0, 0.1))],
    },
    Recipe(optimizer="adamw", lr=real(3e-3, 3e-2, log=True), augment=choose("none", "shift")),
    name="tiny",
)

if __name__ == "__main__":  # only because the command line reads `space` out of this file
    digits = load_digits()
    run = nw.search(
        digits.images,
        labels=digits.target,
        trials=8,
        epochs=6,
        space=space,
        objectives=["accuracy", "latency"],
        limits="parameters<=4k",
    )
    print(run.best)
    print(run.predict(digits.images[:5]), "should be", digits.target[:5])
