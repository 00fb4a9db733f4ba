"""How far several policies are from each other: an ensemble's doubt, and a discrepancy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.ops.product import Product


def expected_codes(dist: Product, head: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[..., width]` what a head does on average: its means, and the chances of its choices.

    Args:
        dist: What the head's columns mean.
        head: `[..., width + free]`.
    """
    code = head[..., : dist.width].copy()
    first = dist.num_continuous
    for size in dist.branches:
        logits = code[..., first : first + size]
        logits -= logits.max(-1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(-1, keepdims=True)
        first += size
    return code


def disagreement(dist: Product, heads: NDArray[np.float32]) -> NDArray[np.float64]:
    """`[n]` by how much the members of an ensemble differ, 0 where all do the same.

    The root of the mean variance over members of what each does on average: numbers in units of
    the action's scale, choices by their chances, for which it is at most 1/2.
    Menda et al. (2019), "EnsembleDAgger", section III-B, arXiv:1807.08364, take the variance of
    continuous actions; the chances make the same of choices.

    Args:
        dist: What the heads' columns mean, the same for all members.
        heads: `[members, n, width + free]`.
    """
    variance = expected_codes(dist, heads).var(0, dtype=np.float64)
    return np.sqrt(variance.mean(-1))


def discrepancy(dist: Product, one: Action, other: Action) -> NDArray[np.float64]:
    """`[n]` how far two actions are apart, 0 where they are the same.

    The largest difference of a number in units of the action's scale (half its range where it has
    bounds), and 1 where a choice differs, whichever is more.
    """
    apart = np.zeros(len(one.discrete))
    if one.continuous.shape[1]:
        numbers = np.abs(one.continuous.astype(np.float64) - other.continuous) / dist.scale
        apart = np.maximum(apart, numbers.max(1))
    if one.discrete.shape[1]:
        apart = np.maximum(apart, (one.discrete != other.discrete).any(1))
    return apart
