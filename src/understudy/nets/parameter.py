"""A parameter that is an output by itself: no network leads to it."""

from __future__ import annotations

import numpy as np

from understudy.nets.flat import Flat, Vector
from understudy.ops.cost import Out


def parameter(flat: Flat, name: str, *shape: int) -> Out:
    """The buffer's next views of this shape as an output, at first zero.

    Its array is the parameter itself, so it changes with every step.
    """
    value, grad = flat.take(name, *shape)

    def pull(gradient: Vector) -> None:
        np.add(grad, gradient, out=grad)

    return Out(value, pull)
