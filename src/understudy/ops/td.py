"""Values of doing something, learned from one step to the next (temporal differences).

`N` critics, `S` reward signals, `K` columns of a critic (see `understudy.ops.soft_product`).
"""

from __future__ import annotations

from understudy.ops.arrays import Array, module_of
from understudy.ops.cost import Cost, Out
from understudy.ops.soft_product import Plan


def soft_value(q: Array, plan: Plan, alpha: Array, strength: Array) -> Array:
    """What a state is worth to every signal: the least critic, less the price of information.

    Haarnoja et al. (2018), eq. 3, arXiv:1812.05905, with the least of several critics (Fujimoto et
    al., 2018, arXiv:1802.09477) and the expectation over choices taken exactly.

    Note:
        The price is divided by the sum of strengths, so that the values which the policy follows,
        summed by strength, hold it exactly once.

    Args:
        q: `[N, ..., S, K]` what the critics that are asked say of what the policy would do.
        plan: That, `[...]`.
        alpha: `[P]` what a nat of information costs.
        strength: `[S]`.

    Returns:
        `[..., S]`.
    """
    price = (plan.information * alpha).sum(-1) / strength.sum()
    least = module_of(q).amin(q, 0)
    return (least * plan.pick[..., None, :]).sum(-1) - price[..., None]


def td_error(q: Out, pick: Array, target: Array, share: Array) -> Cost:
    """Half the squared error of every critic and every signal, summed, at what was done.

    Args:
        q: `[N, ..., S, K]`.
        pick: `[..., K]` which columns count.
        target: `[..., S]`.
        share: `[...]` every row's weight, summing to one.
    """
    pick = pick[..., None, :]
    error = (q.array * pick).sum(-1) - target
    weighted = share[..., None] * error
    return Cost(lambda: 0.5 * float((weighted * error).sum()), [(q, weighted[..., None] * pick)])
