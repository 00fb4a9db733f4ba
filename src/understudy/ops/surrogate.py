"""The losses of proximal policy optimization (Schulman et al., 2017, arXiv:1707.06347)."""

from __future__ import annotations

from understudy.ops.arrays import Array, module_of
from understudy.ops.cost import Cost, Out
from understudy.ops.product import Product

Figures = dict[str, Cost]
"""Numbers for the log, worked out if somebody reads them: costs that pull at nothing."""


def surrogate(
    dist: Product,
    head: Out,
    code: Array,
    old_log_prob: Array,
    advantage: Array,
    share: Array,
    clip: float,
    entropy_weight: float,
) -> tuple[Cost, Figures]:
    """The clipped surrogate (eq. 7) less an entropy bonus, over the whole action at once.

    The ratio is that of the joint action: a ratio for every dimension would let each of them move
    as far as all of them together may.

    Args:
        dist: The distribution that the head parameterizes.
        head: `[..., width + free]`.
        code: `[..., code_width]` what was done.
        old_log_prob: `[...]` of it, when it was done.
        advantage: `[...]`.
        share: `[...]` every row's weight, summing to one.
        clip: How far the ratio may move from 1 before nothing more is gained.
        entropy_weight: What a nat of entropy is worth.

    Returns:
        The cost, and `entropy`, `clipped` (share of rows) and `kl`, the estimate (r - 1) - log r
        of how far the policy has moved (Schulman, 2020, "Approximating KL divergence", k3).
    """
    xp = module_of(head.array)
    log_prob, entropy, pull = dist.score(head.array, code)
    log_ratio = log_prob - old_log_prob
    ratio = xp.exp(log_ratio)
    gain = advantage * ratio
    safe = advantage * ratio.clip(1 - clip, 1 + clip)
    # Where the clipped gain is the smaller one it does not move with the policy.
    moves = gain <= safe
    gradient = pull(-share * gain * moves, -entropy_weight * share)

    def value() -> float:
        lesser = xp.where(moves, gain, safe)
        return -float((share * (lesser + entropy_weight * entropy)).sum())

    figures: Figures = {
        "entropy": Cost(lambda: float((share * entropy).sum())),
        "kl": Cost(lambda: float((share * (ratio - 1 - log_ratio)).sum())),
        "clipped": Cost(lambda: float((share * (abs(ratio - 1) > clip)).sum())),
    }
    return Cost(value, [(head, gradient)]), figures


def value_error(
    value: Out, target: Array, old_value: Array, share: Array, clip: float | None
) -> Cost:
    """Half the squared error of every signal's value head.

    Args:
        value: `[..., S]`.
        target: `[..., S]`.
        old_value: `[..., S]` what it was when the rollout was made.
        share: `[...]` every row's weight, summing to one.
        clip: The larger of this error and that of a value which moved no further than this from
            the old one (as in OpenAI's baselines); None for the plain error.
    """
    xp = module_of(value.array)
    weight = share[..., None]
    error = value.array - target
    if clip is None:
        return Cost(lambda: 0.5 * float((weight * error * error).sum()), [(value, weight * error)])
    moved = value.array - old_value
    clipped = old_value + moved.clip(-clip, clip) - target
    plain = error * error >= clipped * clipped
    gradient = xp.where(plain, error, clipped * (abs(moved) < clip)) * weight
    return Cost(
        lambda: 0.5 * float((weight * xp.maximum(error * error, clipped * clipped)).sum()),
        [(value, gradient)],
    )
