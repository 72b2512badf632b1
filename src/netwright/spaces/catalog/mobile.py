"""`mobile`: inverted bottlenecks (MBConv) after ProxylessNAS (Cai, Zhu, Han, ICLR 2019, arXiv 1812.00332).

As in the paper, each block chooses kernel 3, 5 or 7 and expansion 3 or 6, and blocks after the first of a stage may be
left out. Deviations: widths are choices, squeeze and excite is an option (MobileNetV3), and the number of stages and
their widths follow the input's size. Few parameters, but slow to train on a CPU for their number of MACs.
"""

from __future__ import annotations

from typing import Any

from netwright.core.task import TaskSpec
from netwright.spaces.catalog.chain import recipes, reference_recipe
from netwright.spaces.catalog.scale import halvings
from netwright.spaces.choices import choose, optional
from netwright.spaces.layers import Conv, MBConv
from netwright.spaces.space import Space

WIDTHS = ((16, 24), (24, 32), (32, 40, 48), (64, 80))
"""Choices of width, stage by stage."""

BLOCKS_A_STAGE = 3


def mobile(task: TaskSpec) -> Space:
    """The space for a task: one stage for each halving of the resolution; inputs above 64 pixels are halved at once."""
    stages = halvings(task)
    first_stride = 2 if stages > 3 else 1
    stages -= first_stride - 1
    network: dict[str, Any] = {
        "stem": Conv(width=choose(8, 16, 24), stride=first_stride, act="relu6"),
        "separate": MBConv(width=choose(8, 16), expand=1),
    }
    reference: list[Any] = [Conv(16, stride=first_stride, act="relu6"), MBConv(16, expand=1)]
    for stage in range(stages):
        widths = WIDTHS[stage]
        network[f"stage{stage + 1}"] = [
            _block(width=choose(*widths), stride=2),
            *(optional(_block(width=None, stride=1)) for _ in range(BLOCKS_A_STAGE - 1)),
        ]
        reference += [MBConv(widths[0], stride=2, expand=6), MBConv(expand=6)]
    network["last"] = Conv(width=choose(64, 96, 128, 192), kernel=1, act="relu6")
    reference.append(Conv(128, kernel=1, act="relu6"))
    return Space(network, recipes(), name="mobile", reference=(reference, reference_recipe()))


def _block(width: Any, stride: int) -> MBConv:
    """A block with the paper's choices."""
    return MBConv(
        width=width, kernel=choose(3, 5, 7), expand=choose(3, 6), stride=stride, se=choose(0.0, 0.25), act="relu6"
    )
