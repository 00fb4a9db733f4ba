"""Critics of actions made of torch modules, for whatever is seen and remembered."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from understudy.data.batch import Batch
from understudy.data.episode import Tree
from understudy.nets.critic import CriticConfig, untaught
from understudy.nets.dense import orthogonal
from understudy.nets.door import Door, Seen, Tensors
from understudy.nets.flat import F32
from understudy.nets.layers import ACTIVATIONS, SQRT2
from understudy.nets.model import Model, NetConfig
from understudy.nets.modules import PolicyCritic, TorchModel, adopt
from understudy.nets.tower import Tower
from understudy.ops.arrays import Array
from understudy.ops.cost import Out
from understudy.ops.soft_product import SoftProduct
from understudy.ops.tape import Taped

FAST, SLOW = "critics", "slow"
"""What their memories' names begin with."""


def make_torch_critics(
    model: Model,
    dist: SoftProduct,
    config: CriticConfig,
    rng: np.random.Generator,
    num_signals: int,
) -> TorchCritics:
    """Critics that see and remember as the policy does, with weights of their own.

    All weights are drawn from `rng`; torch's own generator is left as it was.

    Raises:
        ValueError: `make_model` did not make the policy.
    """
    net = model.module if isinstance(model, TorchModel) else model
    if not isinstance(net, PolicyCritic):
        raise ValueError(
            f"critics cannot be made from a {type(net).__name__}, which does not say how it sees: "
            "make the model with `make_model`, or give the learner critics of your own "
            "(`understudy.nets.critic.Critics`)"
        )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        critic = CriticNet(net.door, net.config, dist, config, rng, num_signals)
    return TorchCritics(critic, net.door, dist)


class CriticNet(nn.Module):
    """An encoder of what is seen, and on top of it several critics of what is done.

    The encoder is a tower as the policy's with at most one hidden layer, led through a layer, a
    normalization and a tangent (Yarats et al., 2021, section 3.1, arXiv:2107.09645), so that what
    many pixels say and what few numbers of an action say come in one unit.

    Note:
        All critics look through one encoder, which is not the policy's. Counted in passes over one
        row of pixels, a way back as two, an update takes nine: four of the policy's encoder (two
        rows forward, one back) and five of these (one forward and back, one that is asked, one slow
        copy). One encoder for both (Yarats et al., 2019, arXiv:1910.01741) would save three, and
        need the rule that the policy's gradient does not reach it.

    Attributes:
        shape: `(S, K)`, signals and columns of a critic.
        names: Of what the encoder remembers.
    """

    def __init__(
        self,
        door: Door,
        seeing: NetConfig,
        dist: SoftProduct,
        config: CriticConfig,
        rng: np.random.Generator,
        num_signals: int,
    ) -> None:
        """Draw the weights.

        Args:
            door: Says what is seen.
            seeing: How the policy sees and remembers.
            dist: What is done.
            config: See `CriticConfig`.
            rng: Draws the weights.
            num_signals: `S`.
        """
        super().__init__()
        seeing = replace(seeing, hidden=seeing.hidden[:1], shared=False)
        width = config.hidden[0] if config.hidden else door.width + dist.num_continuous
        self.shape = num_signals, dist.num_columns
        self.tower = Tower(door, seeing, rng, width, gain=1.0)
        self.norm = nn.LayerNorm(width)
        sizes = (width + dist.num_continuous, *config.hidden, num_signals * dist.num_columns)
        self.heads = Heads(sizes, config, rng)
        self.names = () if self.tower.memory is None else self.tower.memory.names

    def encode(
        self, seen: Seen, state: Tensors, fresh: torch.Tensor
    ) -> tuple[torch.Tensor, Tensors]:
        """`[L, B, width]` what the heads are told, and every memory `[L + 1, B, ...]`."""
        x, trace = self.tower(seen, state, fresh)
        return self.norm(x).tanh(), trace

    def judge(
        self, x: torch.Tensor, action: torch.Tensor, which: torch.Tensor | None = None
    ) -> torch.Tensor:
        """`[N, L, B, S, K]` what critics say: all, or those with these numbers."""
        lead = x.shape[:-1]
        said = self.heads(torch.cat([x, action], -1).flatten(0, -2), which)
        return said.reshape(len(said), *lead, *self.shape)


class Heads(nn.Module):
    """Several dense networks of one shape at once. See `understudy.nets.ensemble`."""

    def __init__(
        self, sizes: tuple[int, ...], config: CriticConfig, rng: np.random.Generator
    ) -> None:
        """Args: sizes: input width, hidden widths, output width. rng: draws orthogonal weights."""
        super().__init__()
        copies, last = config.num_critics, len(sizes) - 2
        self.weights, self.biases, self.gains, self.shifts = (nn.ParameterList() for _ in range(4))
        self.activate = ACTIVATIONS[config.activation]()
        for k, (i, o) in enumerate(pairwise(sizes)):
            drawn = [orthogonal(rng, i, o, 1.0 if k == last else SQRT2) for _ in range(copies)]
            self.weights.append(torch.from_numpy(np.stack(drawn)))
            self.biases.append(torch.zeros(copies, 1, o))
            if config.layer_norm and k < last:
                self.gains.append(torch.ones(copies, 1, o))
                self.shifts.append(torch.zeros(copies, 1, o))

    def forward(self, x: torch.Tensor, which: torch.Tensor | None) -> torch.Tensor:
        """`[n, D]` -> `[N, n, P]` of all networks, or of those with these numbers."""

        def of(parameter: torch.Tensor) -> torch.Tensor:
            return parameter if which is None else parameter[which]

        count = len(self.weights[0]) if which is None else len(which)
        y = x.expand(count, *x.shape)
        last = len(self.weights) - 1
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = torch.baddbmm(of(bias), y, of(weight))
            if k == last:
                break
            if len(self.gains):
                y = functional.layer_norm(y, y.shape[-1:])
                y = torch.addcmul(of(self.shifts[k]), y, of(self.gains[k]))
            y = self.activate(y)
        return y


class TorchCritics:
    """Torch modules behind the face of `Critics`.

    Observations are normalized as the policy does it, by the same object.
    """

    def __init__(self, net: CriticNet, door: Door, dist: SoftProduct) -> None:
        """Adopt the module's parameters, and copy it.

        Args:
            net: The critics.
            door: The policy's.
            dist: What they judge.
        """
        self.dist, self._door = dist, door
        self.num_critics = len(net.heads.weights[0])
        self._nets = {FAST: net, SLOW: deepcopy(net)}
        self.flat, self._slow_flat = (adopt(net) for net in self._nets.values())
        self._spare = np.empty_like(self.flat.value)

    def _encode(self, name: str, batch: Batch, count: int) -> tuple[torch.Tensor, Tensors]:
        """What a net's heads are told of the last `count` rows, and what it remembers then."""
        net = self._nets[name]
        # Who remembers has to have seen the rows before them too.
        rows = slice(None if net.names else len(batch.fresh) - count, None)
        fresh = torch.as_tensor(batch.fresh[rows])
        seen = self._door({n: torch.as_tensor(x[rows]) for n, x in batch.obs.items()}, fresh.shape)
        start = {n: self._start(f"{name}.{n}", batch) for n in net.names}
        x, trace = net.encode(seen, start, fresh)
        return x[len(x) - count :], {f"{name}.{n}": memory[-1] for n, memory in trace.items()}

    def _start(self, name: str, batch: Batch) -> torch.Tensor:
        if name in batch.state:
            return torch.as_tensor(batch.state[name])
        memory = self._nets[FAST].tower.width
        return torch.zeros(batch.fresh.shape[1], memory)

    def __call__(self, batch: Batch, action: Array) -> Out:
        """See `Critics`."""
        x, _ = self._encode(FAST, batch, len(action))
        return Taped(self._nets[FAST].judge(x, torch.as_tensor(action)))

    def ask(self, batch: Batch, action: Array, which: Array) -> Out:
        """See `Critics`."""
        with torch.no_grad():
            x, _ = self._encode(FAST, batch, len(action))
        asked = torch.as_tensor(action).requires_grad_()
        said = self._nets[FAST].judge(x, asked, torch.as_tensor(which))

        def back(gradient: Array) -> Array:
            if not action.size:
                return np.zeros_like(action)
            # Of a scalar, whose backward imports far less than that of an array.
            worth = (said * torch.as_tensor(gradient, dtype=said.dtype)).sum()
            return torch.autograd.grad(worth, asked)[0].numpy()

        return Out(said.detach().numpy(), untaught, back)

    @torch.no_grad()
    def slow(self, batch: Batch, action: Array, which: Array) -> Array:
        """See `Critics`."""
        x, _ = self._encode(SLOW, batch, len(action))
        said = self._nets[SLOW].judge(x, torch.as_tensor(action), torch.as_tensor(which))
        return said.numpy()

    @torch.no_grad()
    def look(self, batch: Batch) -> Tree:
        """See `Critics`."""
        found: Tensors = {}
        for name, net in self._nets.items():
            if net.names:
                found |= self._encode(name, batch, len(batch.fresh))[1]
        return {name: x.numpy() for name, x in found.items()}

    def follow(self, tau: float) -> None:
        """See `Critics`."""
        np.subtract(self.flat.value, self._slow_flat.value, out=self._spare)
        self._spare *= F32(tau)
        self._slow_flat.value += self._spare

    def state_dict(self) -> dict[str, Any]:
        """See `Critics`."""
        return {"fast": self.flat.state_dict(), "slow": self._slow_flat.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Critics`."""
        self.flat.load_state_dict(state["fast"])
        self._slow_flat.load_state_dict(state["slow"])
