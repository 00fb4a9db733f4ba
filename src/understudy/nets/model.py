"""Policy and critic behind one face, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.nets.dense import Activation, Dense
from understudy.nets.flat import F32, Flat
from understudy.nets.pages import keep_pages
from understudy.nets.vectors import Vectors
from understudy.ops.arrays import Array
from understudy.ops.cost import Out
from understudy.ops.product import Product

Act = Callable[[Tree, Tree, Array], tuple[NDArray[Any], Tree]]
"""`(obs [n, ...], state [n, ...], fresh [n]) -> (head [n, P], state)`."""


CameraKind = Literal["simple", "nature", "resnet"]
"""Encoders of images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetConfig:
    """What a network looks like; what it sees and does comes from the spec."""

    hidden: tuple[Annotated[int, Gt(0)], ...] = (128, 128)
    """Widths of the hidden layers."""
    activation: Activation = "relu"
    """Between layers: `relu` or `tanh`."""
    camera: CameraKind = "simple"
    """The encoder of images: two convolutions, the three of Mnih et al. (2015), or IMPALA's
    residual network (Espeholt et al., 2018)."""
    entity_width: Annotated[int, Gt(0)] = 64
    """Width of the attention over entities."""
    memory: Annotated[int, Ge(0)] = 0
    """Width of the memory; 0 for none."""
    cell: Literal["lstm", "gru"] = "lstm"
    """What remembers: a long short-term memory (Hochreiter and Schmidhuber, 1997), or a gated
    recurrent unit (Cho et al., 2014), which has three gates for four and one state for two."""
    goal: Literal["concat", "hyper"] = "concat"
    """What an observation that is a goal does: it is seen like any other (`concat`), or besides
    makes the weights of the last hidden layer (`hyper`; Ha et al., 2016)."""
    shared: bool = False
    """Whether the critic is one layer on top of the policy's network instead of a network of its
    own: half the work of an update where images are seen, but it may take more steps."""
    normalize: bool = True
    """Whether the policy measures observations in deviations of what it has seen."""


class Model(Protocol):
    """Policy and critic of one behavior.

    Batches are time-major: observations `[L, B, ...]`, `fresh` `[L, B]` (an episode begins here, so
    memory is forgotten), `state` `[B, ...]` before the first row.

    Attributes:
        spec: What is seen and done.
        dist: The distribution that the policy's head parameterizes.
        flat: All parameters.
        memory: Shape of every named memory of one slot, `{}` without memory.
    """

    spec: Spec
    dist: Product
    flat: Flat
    memory: Mapping[str, tuple[int, ...]]

    def __call__(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Out, Tree]:
        """Head `[L, B, width + free]`, values `[L, B, signals]`, and the memory afterwards."""
        ...

    def policy(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Tree]:
        """The head alone, and the memory afterwards."""
        ...

    def torch(self, obs: Tree, state: Tree, fresh: Array) -> Any:
        """The policy's head as a torch tensor with its graph, for losses that torch works out.

        Such a loss joins others as `Cost.of(scalar)`.
        """
        ...

    def look(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Array, Array, Tree]:
        """Head, values, and the memory before every row `[L, B, ...]`, without gradients."""
        ...

    def actor(self, slots: int) -> Act:
        """For the step loop; may reuse its memory from call to call."""
        ...

    def observe(self, obs: Tree) -> None:
        """Let the normalizer take in these observations `[..., ...]`."""
        ...

    def place(self, tree: Tree) -> Tree:
        """Arrays moved to where this model computes."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Parameters and normalizer."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over parameters and normalizer."""
        ...


def make_model(
    spec: Spec, dist: Product, config: NetConfig, rng: np.random.Generator, num_signals: int = 0
) -> Model:
    """Policy, and a critic with one value head per reward signal.

    Vectors are served by numpy; images, entities, `goal="hyper"` and `shared=True` load torch.

    Raises:
        ConfigError: The settings do not fit what is seen.
    """
    keep_pages()
    if beyond_numpy(spec, config):
        from understudy.nets.modules import make_torch_model

        return make_torch_model(spec, dist, config, rng, num_signals)
    if config.memory:
        from understudy.nets.remembering import RecurrentModel

        return RecurrentModel(spec, dist, config, rng, num_signals)
    return DenseModel(spec, dist, config, rng, num_signals)


def beyond_numpy(spec: Spec, config: NetConfig) -> list[str]:
    """What only networks in torch can do, in words."""
    odd = [f"{o.kind} '{n}'" for n, o in spec.obs.items() if o.kind in ("image", "entities")]
    odd += ["goal='hyper'"] if config.goal == "hyper" else []
    return odd + (["a shared critic"] if config.shared else [])


class DenseModel:
    """Two dense networks, numpy throughout. See `Model`."""

    memory: Mapping[str, tuple[int, ...]] = {}

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
            ValueError: There is a memory, or something is asked for that only torch can do.
        """
        if odd := beyond_numpy(spec, config) + (["a memory"] if config.memory else []):
            raise ValueError(
                f"dense networks in numpy know vectors alone, but found {', '.join(odd)}: use "
                "`make_model`, which chooses"
            )
        self.spec, self.dist = spec, dist
        self._mask = spec.masks[0] if spec.masks else None
        self._vectors = Vectors(spec, config.normalize)
        self.normalizer, width = self._vectors.normalizer, self._vectors.width
        actor_sizes = (width, *config.hidden, dist.width)
        critic_sizes = (width, *config.hidden, num_signals)
        self.flat = Flat(
            Dense.count(actor_sizes, dist.free) + (Dense.count(critic_sizes) if num_signals else 0)
        )
        self._actor = Dense(
            actor_sizes,
            self.flat,
            rng,
            name="policy",
            activation=config.activation,
            free=dist.free,
            gain=0.01,
        )
        self._critic = (
            Dense(critic_sizes, self.flat, rng, name="critic", activation=config.activation)
            if num_signals
            else None
        )

    def _head(self, x: NDArray[np.float32], obs: Tree) -> Out:
        head = self._actor(x)
        return head if self._mask is None else self.dist.allow(head, obs[self._mask])

    def _value(self, x: NDArray[np.float32]) -> Out:
        if self._critic is None:
            return Out(np.zeros((*x.shape[:-1], 0), F32), lambda _: None)
        return self._critic(x)

    def __call__(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Out, Tree]:
        """See `Model`."""
        x = self._vectors(obs, fresh.shape)
        return self._head(x, obs), self._value(x), state

    def policy(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Out, Tree]:
        """See `Model`."""
        return self._head(self._vectors(obs, fresh.shape), obs), state

    def torch(self, obs: Tree, state: Tree, fresh: Array) -> Any:
        """See `Model`."""
        from understudy.ops.tape import tensor_of

        return tensor_of(self.policy(obs, state, fresh)[0])

    def look(self, obs: Tree, state: Tree, fresh: Array) -> tuple[Array, Array, Tree]:
        """See `Model`."""
        head, value, _ = self(obs, state, fresh)
        return head.array, value.array, {}

    def actor(self, slots: int) -> Act:
        """See `Model`."""
        see, run = self._vectors.runner(slots), self._actor.runner(slots)
        allow, mask = self.dist.allow, self._mask

        def act(obs: Tree, state: Tree, fresh: Array) -> tuple[NDArray[Any], Tree]:
            head = run(see(obs))
            if mask is not None:
                head = allow(Out(head, lambda _: None), obs[mask]).array
            return head, state

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


def start_state(model: Model, slots: int) -> Tree:
    """`[slots, ...]` the memory of those who have seen nothing yet."""
    return {name: np.zeros((slots, *shape), F32) for name, shape in model.memory.items()}
