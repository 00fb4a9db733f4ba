"""The policy's and the temperatures' losses of soft actor-critic.

Haarnoja et al. (2018), "Soft Actor-Critic Algorithms and Applications", arXiv:1812.05905.
"""

from __future__ import annotations

from typing import Literal

from understudy.ops.arrays import Array, module_of
from understudy.ops.cost import Cost, Out
from understudy.ops.soft_product import Plan

Belief = Literal["least", "mean"]
"""What several critics that disagree are taken to say."""


def believed(q: Array, belief: Belief) -> tuple[Array, Array]:
    """What the critics say together, and how much each one has a part in it.

    Args:
        q: `[N, ...]`.
        belief: Where it is the least, those who say it have equal parts.

    Returns:
        `[...]`, and parts `[N, ...]` that sum to one over the critics.
    """
    if belief == "mean":
        return q.mean(0), module_of(q).ones_like(q) / len(q)
    least = module_of(q).amin(q, 0)
    worst = q == least
    return least, worst / worst.sum(0, dtype=q.dtype)


def soft_policy(
    head: Out,
    plan: Plan,
    q: Out,
    strength: Array,
    alpha: Array,
    share: Array,
    belief: Belief = "least",
) -> Cost:
    """The price of information less what the critics say of the plan (eq. 7).

    Its gradient comes back through the critics' input, the critics held fixed.

    Args:
        head: `[..., width]`.
        plan: What the policy would do, drawn from this head.
        q: `[N, ..., S, K]` what the critics that are asked say of it.
        strength: `[S]` how much every signal counts.
        alpha: `[P]` what a nat of information costs.
        share: `[...]` every row's weight, summing to one.
        belief: What critics that disagree are taken to say: the least (Fujimoto et al., 2018,
            arXiv:1802.09477) or the mean (Chen et al., 2021, algorithm 1, arXiv:2101.05982).
    """
    worth, part = believed(q.array, belief)
    gain = (worth * strength[:, None]).sum(-2)  # [..., K]
    wanted = (-share[..., None] * plan.pick)[..., None, :] * strength[:, None]  # [..., S, K]
    g_action = q.back(part * wanted)
    seed = plan.pull(g_action, -share[..., None] * gain, share[..., None] * alpha)

    def value() -> float:
        price = (plan.information * alpha).sum(-1)
        return float((share * (price - (plan.pick * gain).sum(-1))).sum())

    return Cost(value, [(head, seed)])


def temperature(log_alpha: Out, information: Array, target: Array, share: Array) -> Cost:
    """Raises the price of a part's information while its entropy is below its target (eq. 18).

    Note:
        The loss is linear in the logarithm of the price, not in the price: a price near 0 comes
        back as fast as another. Stable-Baselines3 and the authors' code do so too.

    Args:
        log_alpha: `[P]`.
        information: `[..., P]`, see `Plan`.
        target: `[P]`, or `[..., P]` of every row, the entropy that is asked, in nats.
        share: `[...]` every row's weight, summing to one.
    """
    parts = information.shape[-1]
    excess = -(information + target)  # of entropy
    gap = (share[..., None] * excess).reshape(-1, parts).sum(0)
    return Cost(lambda: float((log_alpha.array * gap).sum()), [(log_alpha, gap)])
