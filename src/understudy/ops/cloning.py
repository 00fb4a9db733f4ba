"""Doing what was shown: the losses of behavioral cloning (Pomerleau, 1991), with their gradients.

`share` is every row's weight, summing to one: rows on which nothing was done weigh nothing.
"""

from __future__ import annotations

from understudy.ops.arrays import Array
from understudy.ops.cost import Cost, Out
from understudy.ops.product import Product


def likelihood(dist: Product, head: Out, code: Array, share: Array) -> Cost:
    """Negative log-likelihood of what was shown, in nats per step.

    Args:
        dist: The distribution that the head parameterizes.
        head: `[..., width + free]`.
        code: `[..., code_width]` what was done.
        share: `[...]`.
    """
    loss, pull = dist.surprise(head.array, code)
    return Cost(lambda: float((share * loss()).sum()), [(head, pull(share))])


def squared_error(dist: Product, head: Out, code: Array, share: Array) -> Cost:
    """Half the squared error of the means; likelihood for deviations and choices.

    Arguments as for `likelihood`; errors are in code units (see `Product.scale`).
    """
    loss, pull = dist.squares(head.array, code)
    return Cost(lambda: float((share * loss()).sum()), [(head, pull(share))])
