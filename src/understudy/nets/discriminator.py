"""A network that tells what was shown from what was lived: one logit for every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.errors import ConfigError
from understudy.nets.dense import Activation, Dense
from understudy.nets.flat import F32, Flat
from understudy.nets.vectors import Vectors
from understudy.ops.cost import Out
from understudy.ops.product import Product

Sees = Literal["actions", "states", "pairs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscriminatorConfig:
    """What a discriminator looks at, and with what."""

    sees: Sees = "actions"
    """What a row is told by: what was seen and done (`actions`), what was seen alone (`states`), or
    what was seen before and after (`pairs`), for demonstrations whose actions are of no use."""
    hidden: tuple[Annotated[int, Gt(0)], ...] = (64, 64)
    """Widths of the hidden layers."""
    activation: Activation = "relu"
    """Between layers: `relu` or `tanh`."""
    normalize: bool = True
    """Whether observations are measured in deviations of what was shown, see `GAILConfig.mixed`."""


class Discriminator:
    """Rows as inputs, inputs to logits; in numpy.

    Attributes:
        flat: All parameters.
        width: `D`, numbers of an input.
    """

    def __init__(
        self, spec: Spec, dist: Product, config: DiscriminatorConfig, rng: np.random.Generator
    ) -> None:
        """Draw the weights.

        Args:
            spec: What is seen.
            dist: The policy's distribution: its codes are what was done.
            config: See `DiscriminatorConfig`.
            rng: Draws weights.

        Raises:
            ConfigError: Something is seen that is no vector, or nothing is.
        """
        odd = [f"{o.kind} '{n}'" for n, o in spec.obs.items() if o.kind in ("image", "entities")]
        if odd:
            raise ConfigError(
                f"the discriminator sees vectors alone, and here are {', '.join(odd)}: imitate by "
                "cloning (bc), or give it an observation of numbers"
            )
        self.sees, self._vectors = config.sees, Vectors(spec, config.normalize)
        done = dist.code_width if config.sees == "actions" else 0
        self.width = self._vectors.width * (1 + (config.sees == "pairs")) + done
        # What is drawn beyond the bounds is executed at them: the difference would tell who acted
        # without anybody acting differently.
        low, high = (np.array(b) for b in (spec.action.low, spec.action.high))
        free = np.full(dist.code_width - spec.action.continuous, np.inf)
        self._low = np.concatenate([(low - dist.center) / dist.scale, -free]).astype(F32)
        self._high = np.concatenate([(high - dist.center) / dist.scale, free]).astype(F32)
        sizes = (self.width, *config.hidden, 1)
        self.flat = Flat(Dense.count(sizes))
        self._net = Dense(
            sizes, self.flat, rng, name="discriminator", activation=config.activation, gain=1.0
        )

    def observe(self, obs: Tree) -> None:
        """Let the normalizer take in these observations `[..., ...]`."""
        self._vectors.observe(obs)

    def see(self, obs: Tree, code: NDArray[Any], after: Tree) -> NDArray[np.float32]:
        """`[..., D]` what the network is given; an array of its own.

        Args:
            obs: `[..., ...]` what was seen.
            code: `[..., width]` what was done.
            after: `[..., ...]` what was seen then.
        """
        lead = code.shape[:-1]
        seen = self._vectors(obs, lead)
        if self.sees == "states":
            return seen
        if self.sees == "pairs":
            return np.concatenate([seen, self._vectors(after, lead)], -1)
        return np.concatenate([seen, np.clip(code, self._low, self._high)], -1, dtype=F32)

    def __call__(self, x: NDArray[np.float32]) -> Out:
        """`[..., D]` -> `[..., 1]` logits that a row was shown."""
        return self._net(x)

    def slope(self, x: NDArray[np.float32]) -> Out:
        """`[..., D]` the logit's gradient at its input, with a way back of its own."""
        return self._net.slope(x)

    def state_dict(self) -> dict[str, Any]:
        """Parameters and normalizer."""
        normalizer = self._vectors.normalizer
        measured = None if normalizer is None else normalizer.state_dict()
        return {"flat": self.flat.state_dict(), "normalizer": measured}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over parameters and normalizer."""
        self.flat.load_state_dict(state["flat"])
        if self._vectors.normalizer is not None:
            self._vectors.normalizer.load_state_dict(state["normalizer"])
