"""A network that tells what was shown from what was lived: one logit for every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.nets.dense import Activation, Dense
from understudy.nets.flat import F32, Flat
from understudy.nets.model import CameraKind
from understudy.nets.vectors import Vectors
from understudy.ops.cost import Cost, Out
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
    camera: CameraKind = "simple"
    """The encoder of images, as of `net.camera`."""
    entity_width: Annotated[int, Gt(0)] = 64
    """Width of the attention over entities."""
    bottleneck: Annotated[int, Ge(0)] = 0
    """Numbers between hidden layers and logit that carry no more than `GAILConfig.information`, so
    that it cannot tell by every detail (Peng et al., 2019, arXiv:1810.00821); 0 for none."""


class Teller(Protocol):
    """Tells what was shown from what was lived.

    Attributes:
        flat: All parameters.
        width: `D`, numbers of an input.
        sees: What a row is told by.
    """

    flat: Flat
    width: int
    sees: Sees

    def observe(self, obs: Tree) -> None:
        """Let the normalizer take in these observations `[..., ...]`."""
        ...

    def see(self, obs: Tree, code: NDArray[Any], after: Tree) -> NDArray[np.float32]:
        """`[..., D]` what the network is given; an array of its own.

        Args:
            obs: `[..., ...]` what was seen.
            code: `[..., width]` what was done.
            after: `[..., ...]` what was seen then.
        """
        ...

    def __call__(self, x: NDArray[np.float32]) -> Out:
        """`[..., D]` -> `[..., 1]` logits that a row was shown."""
        ...

    def tell(self, x: NDArray[np.float32], rng: np.random.Generator) -> tuple[Out, Cost]:
        """The same while it learns, and what gets through a bottleneck, if there is one."""
        ...

    def slope(self, x: NDArray[np.float32]) -> Out:
        """`[..., D]` the logit's gradient at its input, with a way back of its own."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next logit depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...


def make_discriminator(
    spec: Spec, dist: Product, config: DiscriminatorConfig, rng: np.random.Generator
) -> Teller:
    """A dense one in numpy where vectors are all that is seen, else one of torch modules.

    Raises:
        ConfigError: An image is too small for the encoder, or entities have no numbers.
    """
    pictured = any(o.kind in ("image", "entities") for o in spec.obs.values())
    if pictured or config.bottleneck:
        from understudy.nets.torch_discriminator import TorchDiscriminator

        return TorchDiscriminator(spec, dist, config, rng)
    return Discriminator(spec, dist, config, rng)


class Executed:
    """What was done, as it came to be executed.

    What is drawn beyond the bounds is executed at them: the difference would tell who acted
    without anybody acting differently.
    """

    def __init__(self, spec: Spec, dist: Product) -> None:
        """Args: spec: has the bounds. dist: whose codes say what was done."""
        low, high = (np.array(b) for b in (spec.action.low, spec.action.high))
        free = np.full(dist.code_width - spec.action.continuous, np.inf)
        self._low = np.concatenate([(low - dist.center) / dist.scale, -free]).astype(F32)
        self._high = np.concatenate([(high - dist.center) / dist.scale, free]).astype(F32)

    def __call__(self, code: NDArray[Any]) -> NDArray[Any]:
        """`[..., width]` within the bounds."""
        return np.clip(code, self._low, self._high)


class Discriminator:
    """Rows as inputs, inputs to logits; in numpy. See `Teller`."""

    def __init__(
        self, spec: Spec, dist: Product, config: DiscriminatorConfig, rng: np.random.Generator
    ) -> None:
        """Draw the weights.

        Args:
            spec: What is seen: vectors.
            dist: The policy's distribution: its codes are what was done.
            config: See `DiscriminatorConfig`.
            rng: Draws weights.
        """
        self.sees: Sees = config.sees
        self._vectors = Vectors(spec, config.normalize)
        self._executed = Executed(spec, dist)
        done = dist.code_width if config.sees == "actions" else 0
        self.width = self._vectors.width * (1 + (config.sees == "pairs")) + done
        sizes = (self.width, *config.hidden, 1)
        self.flat = Flat(Dense.count(sizes))
        self._net = Dense(
            sizes, self.flat, rng, name="discriminator", activation=config.activation, gain=1.0
        )

    def observe(self, obs: Tree) -> None:
        """See `Teller`."""
        self._vectors.observe(obs)

    def see(self, obs: Tree, code: NDArray[Any], after: Tree) -> NDArray[np.float32]:
        """See `Teller`."""
        lead = code.shape[:-1]
        seen = self._vectors(obs, lead)
        if self.sees == "states":
            return seen
        if self.sees == "pairs":
            return np.concatenate([seen, self._vectors(after, lead)], -1)
        return np.concatenate([seen, self._executed(code)], -1, dtype=F32)

    def __call__(self, x: NDArray[np.float32]) -> Out:
        """See `Teller`."""
        return self._net(x)

    def tell(self, x: NDArray[np.float32], rng: np.random.Generator) -> tuple[Out, Cost]:
        """See `Teller`; it has no bottleneck."""
        return self(x), Cost()

    def slope(self, x: NDArray[np.float32]) -> Out:
        """See `Teller`."""
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
