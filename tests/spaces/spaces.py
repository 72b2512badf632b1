"""Small spaces that use every kind of choice, for tests."""

from __future__ import annotations

from netwright.spaces.choices import choose, integer, optional, real, repeat, shared, subset
from netwright.spaces.layers import Cell, Conv, Dropout, Identity, MBConv, Pool, Residual, Zero
from netwright.spaces.recipe import Recipe
from netwright.spaces.space import Space

motif = shared("motif", [Conv(kernel=choose(3, 5)), optional(Pool())])

FINITE = {
    "flat": Space([Conv(width=choose(8, 16), kernel=choose(3, 5, 7))]),
    "parts": Space([Conv(8), choose(Conv(kernel=choose(3, 5)), MBConv(expand=choose(3, 6)), Identity())]),
    "repeat": Space([Conv(8), repeat(Conv(kernel=choose(3, 5)), 0, 3)]),
    "nested": Space([Conv(8), repeat(choose(Pool(), Residual([optional(Conv(kernel=choose(3, 5)))])), 1, 2)]),
    "shared": Space([Conv(8), motif, choose(motif, Identity()), Conv(width=shared("w", choose(8, 16)))]),
    "sometimes": Space([Conv(8), choose(shared("late", Conv(kernel=choose(3, 5))), Identity(), Pool())]),
    "cell": Space([Conv(8), Cell(nodes=3, edge=choose(Conv(), Identity(), Zero()))]),
    "inputs": Space([Conv(8), Cell(nodes=4, edge=choose(Conv(), Pool()), inputs=2, join="concat")]),
    "nodes": Space([Conv(8), Cell(nodes=choose(2, 3), edge=choose(Conv(), Pool()))]),
    "numbers": Space([Conv(integer(8, 12)), Dropout(0.1)], Recipe(batch=integer(1, 3), lr=choose(0.1, 0.2))),
    "some": Space([Conv(8), subset(2, [Conv(kernel=choose(3, 5)), Pool(), choose(Conv(act="silu"), Identity())])]),
    "recipes": Space([Conv(8)], choose(sgd=Recipe(lr=choose(0.1, 1.0)), adamw=Recipe(optimizer="adamw", lr=0.01))),
}

ENDLESS = Space(
    {
        "stem": Conv(width=choose(8, 16, 24), act=choose(None, "relu", "silu")),
        "body": repeat(
            choose(
                Conv(kernel=choose(3, 5), skip=choose(0, 1, 2)),
                MBConv(kernel=choose(3, 5), expand=integer(1, 6, log=True), se=choose(0.0, 0.25)),
                Residual([Conv(), optional(Conv(act=None))]),
            ),
            1,
            5,
        ),
        "cell": Cell(nodes=4, edge=choose(Conv(), Pool(), Identity(), Zero()), inputs=2),
        "some": subset(
            2, [Conv(kernel=choose(1, 3)), Pool(), Conv(act=choose("relu", "silu")), optional(Dropout(0.1))]
        ),
        "end": [optional(Dropout(real(0.0, 0.5))), Conv(width=integer(16, 64, log=True))],
    },
    choose(
        sgd=Recipe(lr=real(0.01, 1.0, log=True), momentum=real(0.8, 0.95), batch=choose(32, 64)),
        adamw=Recipe(optimizer="adamw", lr=real(1e-4, 1e-1, log=True)),
    ),
    name="endless",
)

SUBSET = subset(2, ("a", "b", "c", "d"))
