"""Telling what was shown from what was lived, and what a row earns by being taken for shown.

`f` is the logit of a discriminator `D = sigmoid(f)`, the probability that a row was shown (Ho and
Ermon, 2016, arXiv:1606.03476, where `D` is the probability of the opposite).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from understudy.ops.arrays import Array, module_of
from understudy.ops.cost import Cost, Out

Family = Literal["logit", "softplus", "log_prob"]
"""How a logit becomes a reward; see `FAMILIES`."""


def softplus(x: Array) -> Array:
    """`log(1 + exp x)`, also where `exp x` would be too large."""
    xp = module_of(x)
    return x * (x > 0) + xp.log1p(xp.exp(-abs(x)))


def sigmoid(x: Array) -> Array:
    """`1 / (1 + exp -x)`, also where `exp -x` would be too large."""
    return module_of(x).exp(-softplus(-x))


def cross_entropy(logit: Out, shown: Array, share: Array) -> Cost:
    """What it costs not to know which rows were shown (Goodfellow et al., 2014, eq. 1).

    Args:
        logit: `[..., 1]`.
        shown: `[...]` 1 for rows that were shown, 0 for others.
        share: `[...]` every row's weight.
    """
    f = logit.array[..., 0]
    gradient = share * (sigmoid(f) - shown)
    return Cost(
        lambda: float((share * (softplus(f) - shown * f)).sum()), [(logit, gradient[..., None])]
    )


def slope_penalty(slope: Out, share: Array, norm: float) -> Cost:
    """Squared distance of an input gradient's length from `norm`.

    Gulrajani et al. (2017), eq. 3, arXiv:1704.00028, with a length of 1; with 0 it is that of
    Mescheder et al. (2018), eq. 9, arXiv:1801.04406.

    Args:
        slope: `[..., D]` the gradient of a logit at its input.
        share: `[...]` every row's weight.
        norm: What its length should be.
    """
    s = slope.array
    length = ((s * s).sum(-1) + 1e-12) ** 0.5
    off = length - norm
    gradient = (share * 2 * off / length)[..., None] * s
    return Cost(lambda: float((share * off * off).sum()), [(slope, gradient)])


def log_ratio(f: Array) -> Array:
    """`log D - log(1 - D) = f`, of either sign (Fu et al., 2018, section 4, arXiv:1710.11248)."""
    return f


def surviving(f: Array) -> Array:
    """`-log(1 - D)`, never below 0: whoever lives on earns more (Ho and Ermon, 2016, eq. 17)."""
    return softplus(f)


def finishing(f: Array) -> Array:
    """`log D`, never above 0: whoever is done earlier loses less."""
    return -softplus(-f)


FAMILIES: Mapping[Family, Callable[[Array], Array]] = {
    "logit": log_ratio,
    "softplus": surviving,
    "log_prob": finishing,
}
"""Logit to reward, by name."""
