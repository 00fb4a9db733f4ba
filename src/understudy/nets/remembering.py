"""Networks that remember, in numpy: vectors go through dense layers and a recurrent cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.nets.dense import Activation, Dense, orthogonal
from understudy.nets.flat import F32, Flat, Vector
from understudy.nets.model import Act, NetConfig, beyond_numpy
from understudy.nets.recurrence import CELLS, Cell, Flags, Gradients
from understudy.nets.vectors import Vectors
from understudy.ops.arrays import Array
from understudy.ops.cost import Out
from understudy.ops.product import Product


class Remembering:
    """Dense layers, a recurrent cell, and an output layer.

    The same as `Dense` between what is seen and what the gates are told, and again between what is
    remembered and the output.

    Attributes:
        names: Of what is remembered; `h` is what is shown.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        cell: Cell,
        width: int,
        flat: Flat,
        rng: np.random.Generator,
        *,
        name: str,
        activation: Activation,
        free: int = 0,
        gain: float = 1.0,
    ) -> None:
        """Take room for the parameters and draw them.

        Args:
            sizes: Input width, hidden widths, output width without `free`.
            cell: Which.
            width: Of the memory.
            flat: Where the parameters live.
            rng: Draws orthogonal weights, those of every gate by themselves.
            name: Prefix of the parameters' names.
            activation: Between layers.
            free: How many constant outputs follow the others.
            gain: Of the last layer's weights.
        """
        kind = CELLS[cell]
        self.names, self._walk = kind.names, kind.walk
        gates = kind.gates * width
        self._steps, self._width = kind.steps, width
        self._below = Dense((*sizes[:-1], gates), flat, rng, name=name, activation=activation)
        self._weight = flat.take(f"{name}.memory.weight", width, gates)
        self._bias = flat.take(f"{name}.memory.bias", gates)
        self._above = Dense((width, sizes[-1]), flat, rng, name=f"{name}.out", free=free, gain=gain)
        into, offset = self._below.weights[-1][0], self._below.biases[-1][0]
        for start in range(0, gates, width):
            gate = slice(start, start + width)
            into[:, gate] = orthogonal(rng, len(into), width, 1.0)
            self._weight[0][:, gate] = orthogonal(rng, width, width, 1.0)
        if kind.open is not None:
            offset[kind.open * width : (kind.open + 1) * width] = 1

    @staticmethod
    def count(sizes: Sequence[int], cell: Cell, width: int, free: int = 0) -> int:
        """How many parameters such a network has."""
        gates = CELLS[cell].gates * width
        below, above = Dense.count((*sizes[:-1], gates)), Dense.count((width, sizes[-1]), free)
        return below + gates * width + gates + above

    def __call__(self, x: Vector, start: Tree, fresh: Flags) -> tuple[Out, dict[str, Vector]]:
        """`[L, B, D]` -> `[L, B, P + free]`, and every memory by name `[L + 1, B, width]`."""
        said = self._below(x)
        begun = [start[name] for name in self.names]
        traced = self._walk(said.array, self._weight[0], self._bias[0], begun, fresh)
        out = self._above(traced.trace[0][1:])

        def before(gradient: Vector) -> Gradients:
            at_rows = out.back(gradient)
            shown = np.concatenate([np.zeros_like(at_rows[:1]), at_rows])
            return traced.back([shown, *[None] * (len(self.names) - 1)])

        def pull(gradient: Vector) -> None:
            out.pull(gradient)
            found = before(gradient)
            said.pull(found.said)
            for (_, grad), more in ((self._weight, found.weight), (self._bias, found.bias)):
                np.add(grad, more, out=grad)

        trace = dict(zip(self.names, traced.trace, strict=True))
        return Out(out.array, pull, lambda g: said.back(before(g).said)), trace

    def runner(self, rows: int) -> Callable[[Vector, Tree, Flags], tuple[Vector, Tree]]:
        """A function of `[rows, D]`, memories and `fresh` `[rows]`, for acting.

        Its answer `[rows, P + free]` lies where the next one will; what is remembered does not.
        """
        below, above = self._below.runner(rows), self._above.runner(rows)
        step, weight, bias, names = (
            self._steps(rows, self._width),
            self._weight[0],
            self._bias[0],
            self.names,
        )

        def run(x: Vector, start: Tree, fresh: Flags) -> tuple[Vector, Tree]:
            after = step(below(x), weight, bias, [start[name] for name in names], fresh)
            return above(after[0]), dict(zip(names, after, strict=True))

        return run


class RecurrentModel:
    """Two networks that remember, numpy throughout. See `Model`.

    Attributes:
        config: What it looks like.
        normalizer: Measures what is seen; None if it was not asked for.
    """

    def __init__(
        self,
        spec: Spec,
        dist: Product,
        config: NetConfig,
        rng: np.random.Generator,
        num_signals: int = 0,
    ) -> None:
        """Args: see `make_model`.

        Raises:
            ValueError: There is no memory, or something is asked for that only torch can do.
        """
        if odd := beyond_numpy(spec, config) or ([] if config.memory else ["no memory"]):
            raise ValueError(
                f"recurrent networks in numpy know vectors and a memory, but found {', '.join(odd)}"
                ": use `make_model`, which chooses"
            )
        self.spec, self.dist, self.config = spec, dist, config
        self._mask = spec.masks[0] if spec.masks else None
        self._vectors = Vectors(spec, config.normalize)
        self.normalizer = self._vectors.normalizer
        cell, width, seen = config.cell, config.memory, (self._vectors.width, *config.hidden)
        outs = {"policy": (dist.width, dist.free, 0.01)}
        if num_signals:
            outs["critic"] = (num_signals, 0, 1.0)
        self.flat = Flat(
            sum(Remembering.count((*seen, n), cell, width, free) for n, free, _ in outs.values())
        )
        self._nets = {
            name: Remembering(
                (*seen, out),
                cell,
                width,
                self.flat,
                rng,
                name=name,
                activation=config.activation,
                free=free,
                gain=gain,
            )
            for name, (out, free, gain) in outs.items()
        }
        self.memory: Mapping[str, tuple[int, ...]] = {
            f"{tower}.{name}": (width,) for tower, net in self._nets.items() for name in net.names
        }

    def _ask(self, tower: str, x: Vector, state: Tree, fresh: Array) -> tuple[Out, Tree]:
        """What a network says, and its memories before every row and after the last."""
        net = self._nets[tower]
        out, trace = net(x, {name: state[f"{tower}.{name}"] for name in net.names}, fresh)
        return out, {f"{tower}.{name}": memory for name, memory in trace.items()}

    def _head(self, x: Vector, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Tree]:
        head, trace = self._ask("policy", x, state, fresh)
        return (head if self._mask is None else self.dist.allow(head, obs[self._mask])), trace

    def _value(self, x: Vector, state: Tree, fresh: Array) -> tuple[Out, Tree]:
        if "critic" not in self._nets:
            return Out(np.zeros((*x.shape[:-1], 0), F32), lambda _: None), {}
        return self._ask("critic", x, state, fresh)

    def __call__(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Out, Tree]:
        """See `Model`."""
        x = self._vectors(obs, fresh.shape)
        head, mine = self._head(x, obs, state, fresh)
        value, its = self._value(x, state, fresh)
        return head, value, _after(state, mine | its)

    def policy(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Tree]:
        """See `Model`. The memory that only the critic has is passed on as it was."""
        head, trace = self._head(self._vectors(obs, fresh.shape), obs, state, fresh)
        return head, _after(state, trace)

    def torch(self, obs: Tree, state: Tree, fresh: Array) -> Any:
        """See `Model`."""
        from understudy.ops.tape import tensor_of

        return tensor_of(self.policy(obs, state, fresh)[0])

    def look(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Array, Array, Tree]:
        """See `Model`."""
        x = self._vectors(obs, fresh.shape)
        head, mine = self._head(x, obs, state, fresh)
        value, its = self._value(x, state, fresh)
        return head.array, value.array, {name: memory[:-1] for name, memory in (mine | its).items()}

    def actor(self, slots: int) -> Act:
        """See `Model`. The memory that only the critic has is passed on as it was."""
        see, net = self._vectors.runner(slots), self._nets["policy"]
        run, allow, mask = net.runner(slots), self.dist.allow, self._mask
        names = {name: f"policy.{name}" for name in net.names}

        def act(obs: Tree, state: Tree, fresh: Array) -> tuple[NDArray[Any], Tree]:
            head, after = run(see(obs), {name: state[full] for name, full in names.items()}, fresh)
            if mask is not None:
                head = allow(Out(head, lambda _: None), obs[mask]).array
            return head, {**state, **{names[name]: memory for name, memory in after.items()}}

        return act

    def observe(self, obs: Tree) -> None:
        """See `Model`."""
        self._vectors.observe(obs)

    def place(self, tree: Tree) -> Tree:
        """See `Model`."""
        return tree

    def state_dict(self) -> dict[str, Any]:
        """See `Model`."""
        normalizer = None if self.normalizer is None else self.normalizer.state_dict()
        return {"flat": self.flat.state_dict(), "normalizer": normalizer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Model`."""
        self.flat.load_state_dict(state["flat"])
        if self.normalizer is not None:
            self.normalizer.load_state_dict(state["normalizer"])


def _after(state: Tree, trace: Tree) -> Tree:
    """The memory after the last row."""
    return {**state, **{name: x[-1] for name, x in trace.items()}}
