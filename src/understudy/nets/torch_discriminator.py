"""A discriminator made of torch modules: of images, of lists of entities, and through a bottleneck.

What it is given is one row of numbers, like the dense one's, whatever was seen: vectors, pixels,
entities and who of them is there. So rows can be mixed, and the slope at a row is that of all it
was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.nets.discriminator import DiscriminatorConfig, Executed, Sees
from understudy.nets.door import Door, Seen
from understudy.nets.flat import F32
from understudy.nets.layers import ACTIVATIONS, SQRT2, linear, stack
from understudy.nets.model import NetConfig
from understudy.nets.modules import adopt
from understudy.nets.tower import Tower
from understudy.ops.cost import Cost, Out
from understudy.ops.product import Product
from understudy.ops.tape import Taped, taped_scalar


class TorchDiscriminator:
    """Rows as inputs, inputs to logits. See `Teller`."""

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
            ConfigError: An image is too small for the encoder, or entities have no numbers.
        """
        self.sees: Sees = config.sees
        self._door = Door(spec, config.normalize)
        self._executed, self._layout = Executed(spec, dist), Layout(spec, self._door)
        done = dist.code_width if config.sees == "actions" else 0
        self._views = 1 + (config.sees == "pairs")
        self.width = self._layout.width * self._views + done
        with torch.random.fork_rng(devices=[]):
            self._net = TellingNet(self._door, config, rng, self._views, done)
        self.flat = adopt(self._net)

    def observe(self, obs: Tree) -> None:
        """See `Teller`."""
        self._door.observe(obs)

    def see(self, obs: Tree, code: NDArray[Any], after: Tree) -> NDArray[np.float32]:
        """See `Teller`."""
        lead = code.shape[:-1]
        views = [obs, after][: self._views]
        parts = [self._layout.row(self._door, view, lead) for view in views]
        if self.sees == "actions":
            parts.append(self._executed(np.asarray(code)))
        return np.concatenate(parts, -1, dtype=F32)

    def __call__(self, x: NDArray[np.float32]) -> Out:
        """See `Teller`."""
        return Taped(self._logit(torch.from_numpy(x)))

    def tell(self, x: NDArray[np.float32], rng: np.random.Generator) -> tuple[Out, Cost]:
        """See `Teller`; the cost is what gets through the bottleneck, in nats a row.

        The divergence of what a row is told as from a standard normal distribution (Peng et al.,
        2019, eq. 8, arXiv:1810.00821).
        """
        net = self._net
        if net.deviation is None:
            return self(x), Cost()
        features = net.features(*self._parts(torch.from_numpy(x)))
        mean, log_deviation = net.mean(features), net.deviation(features)
        noise = rng.standard_normal(mean.shape, np.float32)
        drawn = mean + log_deviation.exp() * torch.from_numpy(noise)
        squares = mean**2 + (2 * log_deviation).exp()
        nats = (0.5 * (squares - 1) - log_deviation).sum(-1).mean()
        return Taped(net.out(drawn)), taped_scalar(nats)

    def slope(self, x: NDArray[np.float32]) -> Out:
        """See `Teller`."""
        at = torch.from_numpy(x).requires_grad_()
        # The graph of this gradient is the way back of the slope into the parameters.
        (found,) = torch.autograd.grad(self._logit(at).sum(), at, create_graph=True)
        return Taped(found)

    def _logit(self, x: torch.Tensor) -> torch.Tensor:
        net = self._net
        features = net.features(*self._parts(x))
        return net.out(features if net.deviation is None else net.mean(features))

    def _parts(self, x: torch.Tensor) -> tuple[list[Seen], torch.Tensor]:
        """Rows as what was seen, once or twice, and what was done."""
        width = self._layout.width
        views = [self._layout.seen(x[..., k * width : (k + 1) * width]) for k in range(self._views)]
        return views, x[..., width * self._views :]

    def state_dict(self) -> dict[str, Any]:
        """Parameters and normalizers."""
        measured = {name: n.state_dict() for name, n in self._door.normalizers.items()}
        return {"flat": self.flat.state_dict(), "normalizer": measured}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over parameters and normalizers."""
        self.flat.load_state_dict(state["flat"])
        for name, normalizer in self._door.normalizers.items():
            normalizer.load_state_dict(state["normalizer"][name])


class TellingNet(nn.Module):
    """Encoders of what is seen, beside what was done; hidden layers, a bottleneck, a logit.

    Attributes:
        mean, deviation: Of what gets through the bottleneck, the second as a logarithm; None
            without one.
        out: From there to the logit.
    """

    def __init__(
        self,
        door: Door,
        config: DiscriminatorConfig,
        rng: np.random.Generator,
        views: int,
        done: int,
    ) -> None:
        """Args: door: what is seen. views: how often. done: numbers of what was done."""
        super().__init__()
        width = config.hidden[0] if config.hidden else config.entity_width
        seeing = NetConfig(
            hidden=(),
            activation=config.activation,
            camera=config.camera,
            entity_width=config.entity_width,
        )
        self.tower = Tower(door, seeing, rng, width, gain=SQRT2)
        self.activate = ACTIVATIONS[config.activation]()
        self.hidden = stack(rng, width * views + done, config.hidden, config.activation)
        last = config.hidden[-1] if config.hidden else width * views + done
        narrow = config.bottleneck
        self.mean = linear(rng, last, narrow, 1.0) if narrow else nn.Identity()
        self.deviation = linear(rng, last, narrow, 0.01) if narrow else None
        self.out = linear(rng, narrow or last, 1, 1.0)

    def features(self, views: list[Seen], done: torch.Tensor) -> torch.Tensor:
        """`[..., width]` what the logit, or the bottleneck, is made from."""
        looked = [self.activate(self.tower(view, {}, view.vectors[..., :1])[0]) for view in views]
        return self.hidden(torch.cat([*looked, done], -1))


@dataclass(slots=True)
class Layout:
    """Where everything that is seen stands in one row of numbers.

    Attributes:
        width: Numbers in all.
        shapes: Of vectors, images, and entities with who is there, in this order.
    """

    width: int
    shapes: list[tuple[int, ...]]
    num_images: int

    def __init__(self, spec: Spec, door: Door) -> None:
        """Args: spec: what is seen. door: how."""
        self.num_images, self.shapes = len(door.images), [(door.width,)]
        for name in door.images:
            shape = spec.obs[name].shape
            if not spec.obs[name].channels_first:
                shape = (shape[-1], *shape[:-1])
            self.shapes.append(shape)
        for name in door.entities:
            shape = spec.obs[name].shape
            self.shapes += [shape, shape[:1]]
        self.width = sum(int(np.prod(shape)) for shape in self.shapes)

    def row(self, door: Door, obs: Tree, lead: tuple[int, ...]) -> NDArray[np.float32]:
        """`[*lead, width]`."""
        with torch.no_grad():
            seen = door({name: torch.as_tensor(x) for name, x in obs.items()}, lead)
        listed = [part for pair in seen.entities for part in pair]
        parts = [seen.vectors, *seen.images, *listed]
        return torch.cat([part.reshape(*lead, -1).float() for part in parts], -1).numpy()

    def seen(self, row: torch.Tensor) -> Seen:
        """The other way; of a mix of rows everybody is there who is in one of them."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        parts = [
            part.reshape(*row.shape[:-1], *shape)
            for part, shape in zip(row.split(sizes, -1), self.shapes, strict=True)
        ]
        listed = parts[1 + self.num_images :]
        pairs = zip(listed[::2], listed[1::2], strict=True)
        entities = [(x, there.detach() > 0) for x, there in pairs]
        return Seen(parts[0], parts[1 : 1 + self.num_images], entities)
