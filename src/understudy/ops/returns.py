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
    return _discounted_sum(error, alive * (discount * lam))


def _discounted_sum(x: Array, carry: Array) -> Array:
    """`y[t] = x[t] + carry[t] * y[t + 1]` over the first axis, 0 after the last row.

    In log T passes over all rows, each of which lets a row reach twice as far (Hillis and Steele,
    1986, "Data parallel algorithms"); one pass per row takes up to fifty times as long, for 2,048
    rows of one slot. `x` becomes `y`.
    """
    reach = 1
    while reach < len(x):
        x[:-reach] += carry[: len(x) - reach] * x[reach:]
        carry = carry[:-reach] * carry[reach:]
        reach *= 2
    return x


def standardized(x: Array, share: Array) -> Array:
    """Mean 0 and deviation 1 under the rows' weights.

    Args:
        x: `[...]`.
        share: `[...]` weights that sum to one.
    """
    x = x - (share * x).sum()
    return x / ((share * x * x).sum() ** 0.5 + 1e-8)
