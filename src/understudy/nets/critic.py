"""Critics of actions: what doing something is worth, said by several networks and a slow copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from annotated_types import Ge, Gt

from understudy.data.batch import Batch
from understudy.data.episode import Tree
from understudy.nets.dense import Activation
from understudy.nets.ensemble import Ensemble
from understudy.nets.flat import F32, Flat, Vector
from understudy.nets.model import DenseModel, Model
from understudy.nets.remembering import RecurrentModel
from understudy.nets.vectors import Vectors
from understudy.ops.arrays import Array
from understudy.ops.cost import Out
from understudy.ops.soft_product import SoftProduct


@dataclass(frozen=True, kw_only=True, slots=True)
class CriticConfig:
    """What critics look like; what they see comes from the policy that they judge."""

    hidden: tuple[Annotated[int, Gt(0)], ...] = (256, 256)
    """Widths of the hidden layers."""
    activation: Activation = "relu"
    """Between layers: `relu` or `tanh`."""
    num_critics: Annotated[int, Ge(1)] = 2
    """How many of them."""
    layer_norm: bool = False
    """Whether hidden layers are normalized: keeps values in bounds where demonstrations are mixed
    in or many updates follow one step (Ball et al., 2023, arXiv:2302.02948); an update takes
    half as long again or twice as long."""


class Critics(Protocol):
    """What actions are worth to every reward signal.

    Actions are judged on a batch's *last* rows, as many as there are actions: rows before them are
    remembered at most, as `batch.state` is, where that holds a memory by the name of theirs.

    Attributes:
        dist: The distribution of what they judge.
        num_critics: `N`.
        flat: The parameters that learn.
    """

    dist: SoftProduct
    num_critics: int
    flat: Flat

    def __call__(self, batch: Batch, action: Array) -> Out:
        """What every critic says of every signal and choice.

        Args:
            batch: What is seen.
            action: `[L, B, C]` continuous numbers, as codes.

        Returns:
            `[N, L, B, S, K]`.
        """
        ...

    def ask(self, batch: Batch, action: Array, which: Array) -> Out:
        """The same of some critics alone, `[len(which), L, B, S, K]`.

        It has a way back to the action only: these critics are asked, not taught.
        """
        ...

    def slow(self, batch: Batch, action: Array, which: Array) -> Array:
        """The same of the slow copies of these critics, as numbers only."""
        ...

    def look(self, batch: Batch) -> Tree:
        """What critics and slow copies remember after all rows, named arrays `[B, ...]`.

        `{}` without memory.
        """
        ...

    def follow(self, tau: float) -> None:
        """Move the slow copy by a share of its distance."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Parameters of both."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over parameters of both."""
        ...


def make_critics(
    model: Model, config: CriticConfig, rng: np.random.Generator, num_signals: int
) -> Critics:
    """Critics of what a policy does.

    Args:
        model: The policy; its distribution is a `SoftProduct`.
        config: See `CriticConfig`.
        rng: Draws weights.
        num_signals: `S`.

    Raises:
        ValueError: The policy's distribution is another, or `make_model` did not make it.
    """
    if not isinstance(model.dist, SoftProduct):
        raise ValueError(
            f"expected a policy over a SoftProduct, found {type(model.dist).__name__}: make the "
            "model with `SoftProduct(spec.action)`"
        )
    if isinstance(model, DenseModel):
        return DenseCritics(model, model.dist, config, rng, num_signals)
    if isinstance(model, RecurrentModel):
        from understudy.nets.recurrent_critic import RecurrentCritics

        return RecurrentCritics(model, model.dist, config, rng, num_signals)
    from understudy.nets.torch_critic import make_torch_critics

    return make_torch_critics(model, model.dist, config, rng, num_signals)


class DenseCritics:
    """Dense networks, numpy throughout. See `Critics`.

    Observations are normalized as the policy does it, by the same object.
    """

    def __init__(
        self,
        model: DenseModel,
        dist: SoftProduct,
        config: CriticConfig,
        rng: np.random.Generator,
        num_signals: int,
    ) -> None:
        """Args: dist: the model's. The others: see `make_critics`."""
        self.dist, self.num_critics = dist, config.num_critics
        self._vectors = Vectors(model.spec, normalize=False)
        self._vectors.normalizer = model.normalizer
        self._said = num_signals, dist.num_columns
        self._width = self._vectors.width
        sizes = (self._width + dist.num_continuous, *config.hidden, num_signals * dist.num_columns)
        self._nets: list[Ensemble] = []
        flats: list[Flat] = []
        for _ in range(2):
            flats.append(Flat(Ensemble.count(sizes, config.num_critics, config.layer_norm)))
            net = Ensemble(
                sizes,
                config.num_critics,
                flats[-1],
                rng,
                name="critic",
                activation=config.activation,
                layer_norm=config.layer_norm,
            )
            self._nets.append(net)
        self.flat, self._slow_flat = flats
        self._slow_flat.value[:] = self.flat.value
        self._spare = np.empty_like(self.flat.value)

    def _inputs(self, obs: Tree, action: Array) -> Vector:
        """`[..., D + C]` what is seen, normalized, beside what is done."""
        rows = {name: x[len(x) - len(action) :] for name, x in obs.items()}
        # Normalized before it is joined: on columns of a wider array it takes three times as long.
        return np.concatenate([self._vectors(rows, action.shape[:-1]), action], -1, dtype=F32)

    def __call__(self, batch: Batch, action: Array) -> Out:
        """See `Critics`."""
        return self._say(self._nets[0], batch.obs, action)

    def ask(self, batch: Batch, action: Array, which: Array) -> Out:
        """See `Critics`."""
        said = self._say(self._nets[0].picked(which), batch.obs, action)
        return Out(said.array, untaught, said.back)

    def slow(self, batch: Batch, action: Array, which: Array) -> Array:
        """See `Critics`."""
        return self._say(self._nets[1].picked(which), batch.obs, action).array

    def look(self, batch: Batch) -> Tree:
        """See `Critics`: they remember nothing."""
        return {}

    def _say(self, nets: Ensemble, obs: Tree, action: Array) -> Out:
        out = nets(self._inputs(obs, action))
        shape, start = out.array.shape, self._width
        return Out(
            out.array.reshape(*shape[:-1], *self._said),
            lambda g: out.pull(g.reshape(shape)),
            lambda g: out.back(g.reshape(shape))[..., start:],
        )

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


def untaught(_: Array) -> None:
    """The way back into the parameters of critics that are asked: there is none."""
    raise ValueError("critics that are asked are not taught: take all of them, `critics(...)`")
