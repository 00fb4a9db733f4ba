"""A layer that works as the goal says."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from understudy.nets.dense import Activation
from understudy.nets.layers import SQRT2, linear, stack

CODE = 16
"""Numbers that a goal is summed up in: a layer's weights are a mixture of this many, and one more.

ML-Agents mixes as many as a layer is wide (its `goal_conditioning_type: hyper`), which costs that
many times what the layer itself does.
"""


class Conditional(nn.Module):
    """A linear layer whose weights are made from the goal by another network.

    A hypernetwork (Ha et al., 2016, section 3.1, arXiv:1609.09106): the goal becomes an embedding
    `z`, and the weights are linear in it, `W = A_0 + z_1 A_1 + ... + z_K A_K`. Multiplying by that
    is one layer over all products of `(1, z)` with the input, so no weights are ever laid out.
    Its offset is of the ordinary kind, and `z` is normalized (Ba et al., 2016, arXiv:1607.06450),
    so that weights start as large as those of an ordinary layer.
    """

    def __init__(
        self,
        goal: int,
        i: int,
        o: int,
        activation: Activation,
        rng: np.random.Generator,
    ) -> None:
        """Draw the weights.

        Args:
            goal: How many numbers say the goal.
            i: Numbers in.
            o: Numbers out, and the width of the layer that reads the goal.
            activation: Of that layer.
            rng: Draws the weights.
        """
        super().__init__()
        self.read = stack(rng, goal, (o,), activation)
        self.code = nn.Sequential(linear(rng, o, CODE), nn.LayerNorm(CODE))
        # Every one of the mixed weights orthogonal, in shares that add up to one layer's.
        self.mixed = nn.Linear((CODE + 1) * i, o)
        with torch.no_grad():
            self.mixed.bias.zero_()
            for part in self.mixed.weight.split(i, 1):
                part.copy_(linear(rng, i, o, SQRT2 / (CODE + 1) ** 0.5).weight)

    def forward(self, x: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
        """`[..., i]` and `[..., goal]` -> `[..., o]`."""
        z = self.code(self.read(goal))
        z = torch.cat([torch.ones_like(z[..., :1]), z], -1)
        return self.mixed((z[..., None] * x[..., None, :]).flatten(-2))
