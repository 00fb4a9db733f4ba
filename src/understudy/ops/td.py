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


def n_step_target(
    reward: Array, value: Array, over: Array, acted: Array, discount: Array, n: int
) -> Array:
    """What a row's action is worth: `n` rewards, then the value of where they led.

    Sutton and Barto (2018), eq. 7.1, with the value of what is seen where an episode ends earlier:
    so a time limit is bootstrapped from what was truly seen last, and the end of a task from
    nothing.

    Note:
        What was done between is not corrected for another policy having done it, as in Hessel et
        al. (2018), arXiv:1710.02298, and Kapturowski et al. (2019); nor is its entropy rewarded.

    Args:
        reward: `[L + n - 1, B, S]` of `S` signals.
        value: `[L + n - 1, B, S]` of what is seen a row later.
        over: `[L + n - 1, B, S]` bool, whether a signal's value stops with this row's action.
        acted: `[L + n - 1, B]` bool, whether something was done a row later.
        discount: `[S]`, in [0, 1].
        n: How many rewards are added up, 1 or more.

    Returns:
        `[L, B, S]`.
    """
    carry = discount * ~over
    target = reward + carry * value
    for _ in range(n - 1):
        rows = len(target) - 1
        # An episode's last observation is worth what it is worth: nothing was done on it.
        later = module_of(value).where(acted[:rows, ..., None], target[1:], value[:rows])
        target = reward[:rows] + carry[:rows] * later
    return target


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
