"""Critics of actions that see vectors and remember, numpy throughout."""

from __future__ import annotations

from typing import Any

import numpy as np

from understudy.data.batch import Batch
from understudy.data.episode import Tree
from understudy.nets.critic import CriticConfig, untaught
from understudy.nets.ensemble import Ensemble
from understudy.nets.flat import F32, Flat
from understudy.nets.model import NetConfig
from understudy.nets.remembering import RecurrentModel, Remembering
from understudy.nets.vectors import Vectors
from understudy.ops.arrays import Array
from understudy.ops.cost import Out
from understudy.ops.soft_product import SoftProduct


class RecurrentCritics:
    """One encoder that remembers, and several critics on top of it. See `Critics`.

    Observations are normalized as the policy does it, by the same object.
    """

    def __init__(
        self,
        model: RecurrentModel,
        dist: SoftProduct,
        config: CriticConfig,
        rng: np.random.Generator,
        num_signals: int,
    ) -> None:
        """Args: dist: the model's. The others: see `understudy.nets.critic.make_critics`."""
        self.dist, self.num_critics = dist, config.num_critics
        self._vectors = Vectors(model.spec, normalize=False)
        self._vectors.normalizer = model.normalizer
        self._said = num_signals, dist.num_columns
        out = num_signals * dist.num_columns
        seen, done = self._vectors.width, dist.num_continuous
        self._fast, self._slow = (
            _Judges(name, seen, done, out, model.config, config, rng)
            for name in ("critics", "slow")
        )
        self.flat = self._fast.flat
        self._slow.flat.value[:] = self.flat.value
        self._spare = np.empty_like(self.flat.value)

    def __call__(self, batch: Batch, action: Array) -> Out:
        """See `Critics`."""
        seen, _ = self._seen(self._fast, batch)
        out = self._fast.heads(_beside(seen.array, action))
        width = seen.array.shape[-1]

        def pull(gradient: Array) -> None:
            gradient = gradient.reshape(out.array.shape)
            out.pull(gradient)
            at_rows = np.zeros_like(seen.array)
            at_rows[len(at_rows) - len(action) :] = out.back(gradient)[..., :width]
            seen.pull(at_rows)

        return Out(self._shaped(out.array), pull)

    def ask(self, batch: Batch, action: Array, which: Array) -> Out:
        """See `Critics`."""
        seen, _ = self._seen(self._fast, batch)
        out = self._fast.heads.picked(which)(_beside(seen.array, action))
        width = seen.array.shape[-1]
        return Out(
            self._shaped(out.array),
            untaught,
            lambda g: out.back(g.reshape(out.array.shape))[..., width:],
        )

    def slow(self, batch: Batch, action: Array, which: Array) -> Array:
        """See `Critics`."""
        seen, _ = self._seen(self._slow, batch)
        return self._shaped(self._slow.heads.picked(which)(_beside(seen.array, action)).array)

    def look(self, batch: Batch) -> Tree:
        """See `Critics`."""
        return self._seen(self._fast, batch)[1] | self._seen(self._slow, batch)[1]

    def _seen(self, judges: _Judges, batch: Batch) -> tuple[Out, Tree]:
        return judges.seen(self._vectors(batch.obs, batch.fresh.shape), batch)

    def _shaped(self, said: Array) -> Array:
        return said.reshape(*said.shape[:-1], *self._said)

    def follow(self, tau: float) -> None:
        """See `Critics`."""
        np.subtract(self.flat.value, self._slow.flat.value, out=self._spare)
        self._spare *= F32(tau)
        self._slow.flat.value += self._spare

    def state_dict(self) -> dict[str, Any]:
        """See `Critics`."""
        return {"fast": self.flat.state_dict(), "slow": self._slow.flat.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Critics`."""
        self.flat.load_state_dict(state["fast"])
        self._slow.flat.load_state_dict(state["slow"])


class _Judges:
    """The encoder and the heads of all critics, in one buffer.

    The encoder is as the policy's with at most one hidden layer, and ends in a tangent, so that
    what it says and what is done come in one unit.
    """

    def __init__(
        self,
        name: str,
        seen: int,
        done: int,
        out: int,
        seeing: NetConfig,
        config: CriticConfig,
        rng: np.random.Generator,
    ) -> None:
        """Args: name: of its memory. seen, done, out: numbers per row. seeing: how policies do."""
        self._name = name
        width = config.hidden[0] if config.hidden else seeing.memory
        sizes = seen, *seeing.hidden[:1], width
        judging = width + done, *config.hidden, out
        copies, norm = config.num_critics, config.layer_norm
        self.flat = Flat(
            Remembering.count(sizes, seeing.cell, seeing.memory)
            + Ensemble.count(judging, copies, norm)
        )
        self._memory = seeing.memory
        self.encoder = Remembering(
            sizes,
            seeing.cell,
            seeing.memory,
            self.flat,
            rng,
            name="encoder",
            activation=seeing.activation,
        )
        self.heads = Ensemble(
            judging,
            copies,
            self.flat,
            rng,
            name="critic",
            activation=config.activation,
            layer_norm=norm,
        )

    def seen(self, x: Array, batch: Batch) -> tuple[Out, Tree]:
        """What the heads are told, `[L, B, width]`, and what is remembered after the last row."""
        empty = np.zeros((batch.fresh.shape[1], self._memory), F32)
        names = {name: f"{self._name}.{name}" for name in self.encoder.names}
        start = {name: batch.state.get(full, empty) for name, full in names.items()}
        out, trace = self.encoder(x, start, batch.fresh)
        y = np.tanh(out.array)
        told = out.through(y, lambda g: g * (1 - y * y))
        return told, {names[name]: memory[-1] for name, memory in trace.items()}


def _beside(seen: Array, action: Array) -> Array:
    """What is seen on the last rows, beside what is done on them."""
    return np.concatenate([seen[len(seen) - len(action) :], action], -1, dtype=F32)
