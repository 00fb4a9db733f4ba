"""From everything that is seen to numbers: encoders, hidden layers, memory, an output."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from understudy.errors import ConfigError
from understudy.nets.attention import Entities
from understudy.nets.door import Door, Seen, Tensors
from understudy.nets.encoders import Camera
from understudy.nets.goals import Conditional
from understudy.nets.layers import ACTIVATIONS, linear, stack
from understudy.nets.model import NetConfig
from understudy.nets.recurrent import Memory

CAMERA_WIDTH = 256
"""Numbers per image where there is no hidden layer to take the width from."""


class Tower(nn.Module):
    """Encoders of everything that is seen, hidden layers, memory if there is one, and an output.

    Attributes:
        width: Numbers per row below the output.
        out: The last layer, linear.
    """

    def __init__(
        self, door: Door, config: NetConfig, rng: np.random.Generator, out: int, *, gain: float
    ) -> None:
        """Draw the weights.

        Args:
            door: Says what is seen.
            config: Widths and kinds.
            rng: Draws the weights.
            out: Numbers per row.
            gain: Of the last layer's weights.

        Raises:
            ConfigError: An image is too small for the encoder, or `goal` is `hyper` and there is no
                goal, or no hidden layer whose weights it could make.
        """
        super().__init__()
        per_image = config.hidden[0] if config.hidden else CAMERA_WIDTH
        self.cameras = nn.ModuleList(
            Camera(config.camera, name, door.spec.obs[name], per_image, rng) for name in door.images
        )
        sizes = [door.spec.obs[name].shape[-1] for name in door.entities]
        self.entities = Entities(sizes, door.width, config.entity_width, rng) if sizes else None
        width = door.width + per_image * len(self.cameras) + config.entity_width * bool(sizes)
        # Torch has no layer that sees nothing; one that sees a zero says the same.
        self._blind = width == 0
        self.goal = Goal(door, config, per_image, rng) if config.goal == "hyper" else None
        ordinary = config.hidden[:-1] if self.goal else config.hidden
        self.hidden = stack(rng, width or 1, ordinary, config.activation)
        if self.goal:
            self.conditional = Conditional(
                self.goal.width,
                ordinary[-1] if ordinary else width,
                config.hidden[-1],
                config.activation,
                rng,
            )
            self.activate = ACTIVATIONS[config.activation]()
        width = config.hidden[-1] if config.hidden else width or 1
        self.memory = Memory(config.cell, width, config.memory, rng) if config.memory else None
        self.width = config.memory or width
        self.out = linear(rng, self.width, out, gain)

    def forward(
        self, seen: Seen, state: Tensors, fresh: torch.Tensor
    ) -> tuple[torch.Tensor, Tensors]:
        """Output `[L, B, out]`, and every memory by name `[L + 1, B, ...]`."""
        x, trace = self.features(seen, state, fresh)
        return self.out(x), trace

    def features(
        self, seen: Seen, state: Tensors, fresh: torch.Tensor
    ) -> tuple[torch.Tensor, Tensors]:
        """What the output is made from, `[L, B, width]`, and every memory."""
        images = [camera(x) for camera, x in zip(self.cameras, seen.images, strict=True)]
        parts = [seen.vectors, *images]
        if self.entities is not None:
            parts.append(self.entities(seen.entities, seen.vectors))
        x = torch.cat(parts, -1) if len(parts) > 1 else parts[0]
        x = self.hidden(x.new_zeros(*fresh.shape, 1) if self._blind else x)
        if self.goal is not None:
            x = self.activate(self.conditional(x, self.goal(seen, images)))
        return (x, {}) if self.memory is None else self.memory(x, state, fresh)


class Goal(nn.Module):
    """What is wanted, taken out of what is seen, as one row of numbers.

    Attributes:
        width: How many.
    """

    def __init__(
        self, door: Door, config: NetConfig, per_image: int, rng: np.random.Generator
    ) -> None:
        """Args: see `Tower`; per_image: numbers per encoded image.

        Raises:
            ConfigError: There is no goal, or no hidden layer.
        """
        super().__init__()
        obs = door.spec.obs
        goals = [name for name, o in obs.items() if o.goal and o.kind != "mask" and o.size]
        if not goals:
            raise ConfigError(
                "net.goal=hyper makes a layer's weights from the goal, but nothing that is seen is "
                f"a goal ({', '.join(obs)}): mark one with `Obs(goal=True)`, or set net.goal=concat"
            )
        if not config.hidden:
            raise ConfigError(
                "net.goal=hyper makes the weights of the last hidden layer, but net.hidden=[] has "
                "none: set net.hidden=[128], or net.goal=concat"
            )
        ends = np.cumsum([0, *door.sizes.values()])
        columns = [
            np.arange(start, start + size)
            for start, (name, size) in zip(ends, door.sizes.items(), strict=False)
            if obs[name].goal
        ]
        columns = torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *columns]))
        self.register_buffer("columns", columns, persistent=False)
        self._images = [k for k, name in enumerate(door.images) if obs[name].goal]
        self._lists = [k for k, name in enumerate(door.entities) if obs[name].goal]
        sizes = [obs[door.entities[k]].shape[-1] for k in self._lists]
        self.entities = Entities(sizes, 0, config.entity_width, rng) if sizes else None
        self.width = len(columns) + per_image * len(self._images)
        self.width += config.entity_width * bool(sizes)

    def forward(self, seen: Seen, images: list[torch.Tensor]) -> torch.Tensor:
        """`[..., width]` from what is seen, and `[..., per_image]` the images of it, encoded."""
        vectors = seen.vectors.index_select(-1, self.get_buffer("columns"))
        parts = [vectors, *(images[k] for k in self._images)]
        if self.entities is not None:
            parts.append(self.entities([seen.entities[k] for k in self._lists], seen.vectors))
        return torch.cat(parts, -1)
