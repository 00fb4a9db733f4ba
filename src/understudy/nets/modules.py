"""Policy and critic made of torch modules, on the same kind of buffer as the dense ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.nets.door import Door, Tensors
from understudy.nets.flat import Flat
from understudy.nets.layers import linear
from understudy.nets.model import Act, NetConfig
from understudy.nets.recurrence import CELLS
from understudy.nets.tower import Tower
from understudy.ops.arrays import Array
from understudy.ops.cost import Out
from understudy.ops.product import FORBIDDEN, Product
from understudy.ops.tape import Taped

LOOK_ROWS = 4096
"""How many rows `look` gives a module at once, so that a rollout of images fits into memory."""


def make_torch_model(
    spec: Spec, dist: Product, config: NetConfig, rng: np.random.Generator, num_signals: int = 0
) -> TorchModel:
    """A policy, and a critic with one value head per reward signal, for whatever is seen.

    All weights are drawn from `rng`; torch's own generator is left as it was.

    Raises:
        ConfigError: An image is too small for the encoder, entities have no numbers, or `goal` is
            `hyper` and there is no goal or no hidden layer.
    """
    # Modules draw weights when they are made, which ours then replace; and torch warns of a layer
    # without outputs, as where nothing can be done.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        net = PolicyCritic(spec, dist, config, rng, num_signals)
    return TorchModel(net, spec, dist, memory=net.memory, policy=net.act, door=net.door)


class PolicyCritic(nn.Module):
    """A policy's tower and a critic, behind one door.

    The critic is a tower of its own, or one layer on top of the policy's where that is shared.

    Attributes:
        memory: Shape of every named memory of one slot.
        config, door: How it sees, for others who want to see alike.
    """

    def __init__(
        self,
        spec: Spec,
        dist: Product,
        config: NetConfig,
        rng: np.random.Generator,
        num_signals: int,
    ) -> None:
        """Args: see `make_torch_model`."""
        super().__init__()
        self.config, self.door = config, Door(spec, config.normalize)
        self.policy = Tower(self.door, config, rng, dist.width, gain=0.01)
        self.critic = self.value = None
        if num_signals and config.shared:
            self.value = linear(rng, self.policy.width, num_signals, 1.0)
        elif num_signals:
            self.critic = Tower(self.door, config, rng, num_signals, gain=1.0)
        self.constants = nn.Parameter(torch.zeros(dist.free))
        self._allowed = (spec.masks[0], dist.num_continuous) if spec.masks else None
        towers = ["policy", "critic"] if self.critic else ["policy"]
        names = CELLS[config.cell].names if config.memory else ()
        self.memory = {f"{tower}.{name}": (config.memory,) for tower in towers for name in names}

    def forward(
        self, obs: Tensors, state: Tensors, fresh: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Tensors]:
        """Head, values and memory; see `TorchModel`."""
        seen = self.door(obs, fresh.shape)
        x, mine = self.policy.features(seen, _under("policy", state), fresh)
        head, trace = self._head(x, obs), _named("policy", mine)
        if self.value is not None:
            return head, self.value(x), trace
        if self.critic is None:
            return head, head.new_zeros(*fresh.shape, 0), trace
        value, its = self.critic(seen, _under("critic", state), fresh)
        return head, value, trace | _named("critic", its)

    def act(
        self, obs: Tensors, state: Tensors, fresh: torch.Tensor
    ) -> tuple[torch.Tensor, Tensors]:
        """Head and memory of the policy alone."""
        seen = self.door(obs, fresh.shape)
        x, trace = self.policy.features(seen, _under("policy", state), fresh)
        return self._head(x, obs), _named("policy", trace)

    def _head(self, x: torch.Tensor, obs: Tensors) -> torch.Tensor:
        head = self.policy.out(x)
        if self._allowed is not None:
            name, c = self._allowed
            logits = torch.where(obs[name].bool(), head[..., c:], FORBIDDEN)
            head = torch.cat([head[..., :c], logits], -1)
        return torch.cat([head, self.constants.expand(*x.shape[:-1], -1)], -1)


class TorchModel:
    """Any module as a `Model`.

    The module is called as `module(obs, state, fresh)` with tensors, time-major like `Model`, and
    answers the head `[L, B, width + free]`, values `[L, B, signals]`, and the named memory *before
    every row and after the last*, `[L + 1, B, ...]` (`{}` without memory). Its parameters must be
    float32 on the CPU; they and their gradients become views of `flat`, so never set a gradient to
    None (`zero_grad` does): the optimizer over `flat` clears it.
    """

    def __init__(
        self,
        module: nn.Module,
        spec: Spec,
        dist: Product,
        *,
        memory: Mapping[str, tuple[int, ...]] | None = None,
        policy: Callable[..., tuple[torch.Tensor, Tensors]] | None = None,
        door: Door | None = None,
    ) -> None:
        """Adopt the module's parameters.

        Args:
            module: See above.
            spec: What is seen and done.
            dist: What the head parameterizes.
            memory: Shape of every named memory of one slot.
            policy: Answers the head and the policy's memory alone; by default the module is asked
                and the values are dropped.
            door: What normalizes.

        Raises:
            ValueError: A parameter is not float32 on the CPU.
        """
        self.module, self.spec, self.dist = module, spec, dist
        self.memory: Mapping[str, tuple[int, ...]] = dict(memory or {})
        self.flat = adopt(module)
        self._policy = policy or (lambda *inputs: self.module(*inputs)[::2])
        self._normalizers = {} if door is None else door.normalizers
        self._observe = (lambda obs: None) if door is None else door.observe

    def __call__(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Out, Tree]:
        """See `Model`."""
        head, value, trace = self.module(_tensors(obs), _tensors(state), _tensor(fresh))
        # Nothing leads back from values that nobody asked for.
        values = Taped(value) if value.shape[-1] else Out(value.detach().numpy(), lambda _: None)
        return Taped(head), values, _after(state, trace)

    def policy(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Tree]:
        """See `Model`. The memory that only the critic has is passed on as it was."""
        head, trace = self._policy(_tensors(obs), _tensors(state), _tensor(fresh))
        return Taped(head), _after(state, trace)

    def torch(self, obs: Tree, state: Tree, fresh: Array) -> torch.Tensor:
        """The head as a tensor with its graph, for losses written in torch (see `Cost.of`)."""
        return self._policy(_tensors(obs), _tensors(state), _tensor(fresh))[0]

    def look(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Array, Array, Tree]:
        """See `Model`."""
        rows, told = max(1, LOOK_ROWS // max(1, fresh.shape[1])), _tensors(state)
        heads, values, traces = [], [], []
        with torch.inference_mode():
            for start in range(0, len(fresh), rows):
                part = slice(start, start + rows)
                seen = _tensors({name: x[part] for name, x in obs.items()})
                head, value, trace = self.module(seen, told, _tensor(fresh[part]))
                told = {name: x[-1] for name, x in trace.items()}
                heads.append(head)
                values.append(value)
                traces.append({name: x[:-1] for name, x in trace.items()})
            before = {n: torch.cat([trace[n] for trace in traces]).numpy() for n in self.memory}
            return torch.cat(heads).numpy(), torch.cat(values).numpy(), before

    def actor(self, slots: int) -> Act:
        """See `Model`. The memory that only the critic has is passed on as it was."""

        def act(obs: Tree, state: Tree, fresh: Array) -> tuple[Array, Tree]:
            with torch.inference_mode():
                seen = {name: _tensor(x)[None] for name, x in obs.items()}
                head, trace = self._policy(seen, _tensors(state), _tensor(fresh)[None])
                return head[0].numpy(), _after(state, trace)

        return act

    def observe(self, obs: Tree) -> None:
        """See `Model`."""
        self._observe(obs)

    def place(self, tree: Tree) -> Tree:
        """See `Model`. Arrays stay numpy: they become tensors, without a copy, at the module."""
        return tree

    def state_dict(self) -> dict[str, Any]:
        """See `Model`; and what the module keeps besides parameters, by name."""
        return {
            "flat": self.flat.state_dict(),
            "buffers": {name: x.numpy().copy() for name, x in self._buffers().items()},
            "normalizers": {n: x.state_dict() for n, x in self._normalizers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Model`.

        Raises:
            ValueError: Names or shapes differ.
        """
        self.flat.load_state_dict(state["flat"])
        for kind, mine in (("buffers", self._buffers()), ("normalizers", self._normalizers)):
            if set(mine) != set(state[kind]):
                raise ValueError(f"{kind} are {sorted(mine)}, found {sorted(state[kind])}")
        for name, x in self._buffers().items():
            x.copy_(torch.from_numpy(np.asarray(state["buffers"][name])))
        for name, normalizer in self._normalizers.items():
            normalizer.load_state_dict(state["normalizers"][name])

    def _buffers(self) -> Tensors:
        kept = self.module.state_dict()
        return {name: x for name, x in kept.items() if name not in self.flat.names}


def adopt(module: nn.Module) -> Flat:
    """One buffer for everything that a module learns; its parameters become views of it.

    Raises:
        ValueError: A parameter is not float32 on the CPU.
    """
    learned = {name: p for name, p in module.named_parameters() if p.requires_grad}
    flat = Flat(sum(p.numel() for p in learned.values()))
    for name, p in learned.items():
        if p.dtype != torch.float32 or p.device.type != "cpu":
            raise ValueError(
                f"parameter '{name}' is {p.dtype} on {p.device}: expected float32, cpu"
            )
        value, grad = map(torch.from_numpy, flat.take(name, *p.shape))
        value.copy_(p.data)
        p.data, p.grad = value, grad
    return flat


def _tensor(x: Array) -> torch.Tensor:
    if isinstance(x, torch.Tensor):
        return x
    # Torch warns of arrays that are not to be written, and refuses those that run backwards.
    if not x.flags.writeable or min(x.strides, default=0) < 0:
        x = x.copy()
    return torch.from_numpy(x)


def _tensors(tree: Tree) -> Tensors:
    return {name: _tensor(x) for name, x in tree.items()}


def _after(state: Tree, trace: Tensors) -> Tree:
    """The memory after the last row."""
    return {**state, **{name: x[-1].detach().numpy() for name, x in trace.items()}}


def _under(name: str, state: Tensors) -> Tensors:
    """The memories of one tower, by their own names."""
    start = f"{name}."
    return {n.removeprefix(start): x for n, x in state.items() if n.startswith(start)}


def _named(name: str, trace: Tensors) -> Tensors:
    return {f"{name}.{x}": memory for x, memory in trace.items()}
