"""What acting brought, and how much better that was than expected."""

from __future__ import annotations

from understudy.ops.arrays import Array, module_of


def gae(
    reward: Array,
    value: Array,
    terminated: Array,
    acted: Array,
    discount: Array,
    lam: float,
    ends: Array | bool = True,
) -> Array:
    """Generalized advantage estimation (Schulman et al., 2016, eq. 16, arXiv:1506.02438).

    With one row per observation there is one formula: value flows over a row unless the episode
    terminated there and the signal ends with it, so a time limit is bootstrapped from what was
    truly seen last; and the sum of errors stops where nothing was done, so no episode runs into the
    next.

    Args:
        reward: `[T, N, S]` of `S` signals.
        value: `[T+1, N, S]`.
        terminated: `[T, N]` bool, the task was over after this row's action.
        acted: `[T, N]` bool, something was done on this row.
        discount: `[S]`, in [0, 1].
        lam: How far errors are summed, in [0, 1]: 0 one step, 1 to the end.
        ends: `[S]` bool, whether a signal's value stops at a termination.

    Returns:
        `[T, N, S]`; 0 on rows that were not acted on.
    """
    xp = module_of(reward)
    alive = acted[..., None] * xp.ones_like(discount)
    goes_on = ~(terminated[..., None] & ends)
    error = (reward + discount * value[1:] * goes_on - value[:-1]) * alive
    carry = alive * (discount * lam)
    advantage = xp.empty_like(error)
    later = xp.zeros_like(error[0])
    for t in range(len(error) - 1, -1, -1):
        later = advantage[t] = error[t] + carry[t] * later
    return advantage


def standardized(x: Array, share: Array) -> Array:
    """Mean 0 and deviation 1 under the rows' weights.

    Args:
        x: `[...]`.
        share: `[...]` weights that sum to one.
    """
    x = x - (share * x).sum()
    return x / ((share * x * x).sum() ** 0.5 + 1e-8)
