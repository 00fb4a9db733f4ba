"""The distribution of an action: a list of independent parts, each with its own columns.

A network's head holds the parameters of all parts, `[means | logits of every branch | log
deviations]`; a code is an action as networks see it, `[continuous | one-hot of every branch]`.
Which parts there are is settled when the distribution is made; nobody asks again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.spec import ActionSpec
from understudy.ops.arrays import Array, columns, highest, module_of
from understudy.ops.cost import Out

LOG_2PI = math.log(2 * math.pi)
TINY = np.array(1e-12, np.float32)
"""Keeps the logarithm of an exponential number that was drawn as 0 finite."""
FORBIDDEN = -1e8
"""The logit of a choice that is not allowed: far below any other, and its gradient is exactly 0."""

Pull = Callable[[Array, Array, Array], None]
"""`pull(out, g, h)`: writes into `out` the gradient at the head of
`sum(g * log_prob + h * entropy)`."""


Lazy = tuple[Callable[[], Array], Callable[[Array, Array], None]]
"""A loss `[...]` that is worked out when it is read, and `pull(out, g)`: writes into `out` the
gradient at the head of `sum(g * loss)`."""


class Part(Protocol):
    """Some columns of a head and what they say about some columns of a code."""

    def score(self, head: Array, code: Array) -> tuple[Array, Array, Pull]:
        """Log-probability `[...]` of the code's columns, entropy `[...]`, and the way back."""
        ...

    def surprise(self, head: Array, code: Array) -> Lazy:
        """Negative log-probability, for those who want neither entropy nor the number itself."""
        ...

    def squares(self, head: Array, code: Array) -> Lazy:
        """A loss that fits centers by squared error."""
        ...

    def noise(self, rng: np.random.Generator, out: NDArray[np.float32]) -> None:
        """Write into these columns of `out` `[..., width]` what `disturb` needs."""
        ...

    def disturb(self, head: NDArray[Any], noise: NDArray[Any], out: NDArray[Any]) -> None:
        """Write into these columns of `out` `[..., code_width]` a draw, as a code."""
        ...

    def decode(self, code: NDArray[Any], action: Action) -> None:
        """Write into an action what these columns of a code mean."""
        ...


class Gaussian:
    """Independent normal numbers whose means are outputs and whose deviations are constants.

    The constants are head columns that do not see the input, so they need no special parameter.
    """

    def __init__(
        self,
        mean: slice,
        log_std: slice,
        code: slice,
        center: NDArray[np.float32],
        scale: NDArray[np.float32],
    ) -> None:
        """Args: mean, log_std: columns of the head. code: its columns. center, scale: its unit."""
        self.mean, self.log_std, self.code = mean, log_std, code
        self.center, self.scale = center, scale

    def score(self, head: Array, code: Array) -> tuple[Array, Array, Pull]:
        """See `Part.score`; with z = (x - mean) / std, d/dmean = z / std, d/dlog_std = z^2 - 1."""
        log_std = head[..., self.log_std]
        inverse = module_of(head).exp(-log_std)
        z = (code[..., self.code] - head[..., self.mean]) * inverse
        squared = z * z
        spread, width = log_std.sum(-1), z.shape[-1]
        log_prob = -0.5 * squared.sum(-1) - spread - 0.5 * LOG_2PI * width
        entropy = spread + 0.5 * (1 + LOG_2PI) * width

        def pull(out: Array, g: Array, h: Array) -> None:
            g, h = g[..., None], h[..., None]
            out[..., self.mean] = g * z * inverse
            out[..., self.log_std] = g * (squared - 1) + h

        return log_prob, entropy, pull

    def surprise(self, head: Array, code: Array) -> Lazy:
        """See `Part.surprise`; the gradients are those of `score` with the sign turned."""
        log_std = head[..., self.log_std]
        inverse = module_of(head).exp(-log_std)
        z = (head[..., self.mean] - code[..., self.code]) * inverse

        def loss() -> Array:
            return (0.5 * z * z + log_std + 0.5 * LOG_2PI).sum(-1)

        def pull(out: Array, g: Array) -> None:
            gz = g[..., None] * z
            out[..., self.mean] = gz * inverse
            out[..., self.log_std] = g[..., None] - gz * z

        return loss, pull

    def squares(self, head: Array, code: Array) -> Lazy:
        """Half the squared error of the means, plus the deviations' own negative log-likelihood.

        The deviations follow the errors but do not weigh them, so one precise dimension cannot
        drown the others; the fitted distribution still says how sure it is.
        """
        log_std = head[..., self.log_std]
        error = head[..., self.mean] - code[..., self.code]
        squared = error * error
        z2 = squared * module_of(head).exp(-2 * log_std)

        def loss() -> Array:
            return 0.5 * squared.sum(-1) + (0.5 * z2 + log_std + 0.5 * LOG_2PI).sum(-1)

        def pull(out: Array, g: Array) -> None:
            out[..., self.mean] = g[..., None] * error
            out[..., self.log_std] = g[..., None] * (1 - z2)

        return loss, pull

    def noise(self, rng: np.random.Generator, out: NDArray[np.float32]) -> None:
        """See `Part.noise`: normal numbers."""
        normal = out[..., self.code]
        normal[...] = rng.standard_normal(normal.shape, np.float32)

    def disturb(self, head: NDArray[Any], noise: NDArray[Any], out: NDArray[Any]) -> None:
        """See `Part.disturb`."""
        drawn = out[..., self.code]
        np.multiply(noise[..., self.code], np.exp(head[..., self.log_std]), out=drawn)
        drawn += head[..., self.mean]

    def decode(self, code: NDArray[Any], action: Action) -> None:
        """See `Part.decode`."""
        numbers = action.continuous
        np.multiply(code[..., self.code], self.scale, out=numbers)
        np.add(numbers, self.center, out=numbers)


class Choice:
    """One choice out of several: a softmax over its logits. A choice of two is a Bernoulli."""

    def __init__(self, logits: slice, code: slice, branch: int) -> None:
        """Args: logits: columns of the head. code: columns of the code. branch: which it is."""
        self.logits, self.code, self.branch = logits, code, branch

    def score(self, head: Array, code: Array) -> tuple[Array, Array, Pull]:
        """See `Part.score`. dlogp/dz = onehot - p, dH/dz = -p (log p + H)."""
        xp, lead = module_of(head), head.shape[:-1]
        z, one = columns(head[..., self.logits]), columns(code[..., self.code])
        z = z - highest(z)
        p = xp.exp(z)
        total = p.sum(0)
        p = p / total
        z = z - xp.log(total)
        entropy = -(p * z).sum(0)

        def pull(out: Array, g: Array, h: Array) -> None:
            d = g.reshape(-1) * (one - p) - h.reshape(-1) * p * (z + entropy)
            out[..., self.logits] = d.T.reshape(*lead, len(d))

        return (z * one).sum(0).reshape(lead), entropy.reshape(lead), pull

    def surprise(self, head: Array, code: Array) -> Lazy:
        """See `Part.surprise`. The gradient is p - onehot."""
        xp = module_of(head)
        z, one = columns(head[..., self.logits]), columns(code[..., self.code])
        z = z - highest(z)
        p = xp.exp(z)
        total = p.sum(0)

        def loss() -> Array:
            return (xp.log(total) - (z * one).sum(0)).reshape(head.shape[:-1])

        def pull(out: Array, g: Array) -> None:
            d = (p / total - one) * g.reshape(-1)
            out[..., self.logits] = d.T.reshape(*head.shape[:-1], len(d))

        return loss, pull

    squares = surprise
    """A choice has no center: its negative log-probability."""

    def noise(self, rng: np.random.Generator, out: NDArray[np.float32]) -> None:
        """See `Part.noise`: Gumbel numbers, since the most perturbed logit is a fair draw."""
        gumbel = out[..., self.code]
        drawn = rng.standard_exponential(gumbel.shape, np.float32)
        drawn += TINY
        np.negative(np.log(drawn, out=drawn), out=gumbel)

    def disturb(self, head: NDArray[Any], noise: NDArray[Any], out: NDArray[Any]) -> None:
        """See `Part.disturb`."""
        np.add(head[..., self.logits], noise[..., self.code], out=out[..., self.code])

    def decode(self, code: NDArray[Any], action: Action) -> None:
        """See `Part.decode`: the choice with the largest number."""
        code[..., self.code].argmax(-1, out=action.discrete[..., self.branch])


class Product:
    """The distribution of a whole action: independent parts, either kind may be absent.

    Attributes:
        num_continuous: `C`.
        branches: `[K]` choices of every branch.
        width: Head columns that see the input: means, then logits.
        free: Head columns after those, which are learned constants: log deviations.
        code_width: Columns of a code.
        center, scale: `[C]` a continuous number is coded as `(x - center) / scale`.
        parts: The parts, in the code's order.
    """

    def __init__(
        self,
        action: ActionSpec,
        center: NDArray[Any] | None = None,
        scale: NDArray[Any] | None = None,
    ) -> None:
        """Settle which parts there are.

        Args:
            action: What can be done.
            center: `[C]`, by default the middle of the bounds, 0 for a number without finite ones.
            scale: `[C]`, by default half the width of the bounds, 1 for a number without.
        """
        low, high = np.array(action.low, np.float64), np.array(action.high, np.float64)
        finite = np.isfinite(low) & np.isfinite(high) & (high > low)
        with np.errstate(invalid="ignore"):
            middle, half = (
                np.where(finite, (low + high) / 2, 0),
                np.where(finite, (high - low) / 2, 1),
            )
        self.center = np.asarray(middle if center is None else center, np.float32)
        self.scale = np.asarray(half if scale is None else scale, np.float32)
        c, k = action.continuous, action.num_choices
        self.action, self._dtype = action, np.dtype(action.dtype)
        self.num_continuous, self.branches = c, action.branches
        self.width, self.free, self.code_width = c + k, c, c + k
        ends = np.cumsum((c, *action.branches)).tolist()
        places = [slice(a, b) for a, b in pairwise(ends)]
        numbered, deviations = slice(0, c), slice(c + k, c + k + c)
        numbers = Gaussian(numbered, deviations, numbered, self.center, self.scale)
        self.parts: Sequence[Part] = [
            # Kept, zero wide, where nothing at all can be done: sums over no part need a shape.
            *([numbers] if c or not k else []),
            *(Choice(place, place, branch) for branch, place in enumerate(places)),
        ]

    @property
    def log_volume(self) -> float:
        """What to subtract from a log density of codes to have one in the environment's units."""
        return float(np.log(self.scale).sum())

    def encode(self, action: Action) -> NDArray[np.float32]:
        """`[..., C + sum(branches)]` the action as networks see it."""
        x = (action.continuous - self.center) / self.scale
        one_hot = [
            np.eye(size, dtype=np.float32)[action.discrete[..., k]]
            for k, size in enumerate(self.branches)
        ]
        return np.concatenate([x.astype(np.float32, copy=False), *one_hot], -1)

    def decode(self, code: NDArray[Any]) -> Action:
        """The action of a code; of a branch, the choice with the largest number."""
        lead = code.shape[:-1]
        action = Action(
            np.empty((*lead, self.num_continuous), self._dtype),
            np.empty((*lead, len(self.branches)), np.int64),
        )
        for part in self.parts:
            part.decode(code, action)
        return action

    def score(
        self, head: Array, code: Array
    ) -> tuple[Array, Array, Callable[[Array, Array], Array]]:
        """Log-probability, entropy and the way back.

        Args:
            head: `[..., width + free]`.
            code: `[..., code_width]`.

        Returns:
            log_prob: `[...]`, of the code (see `log_volume`).
            entropy: `[...]`, in nats.
            pull: `(g, h)` -> the gradient at the head of `sum(g * log_prob + h * entropy)`.
        """
        scores = [part.score(head, code) for part in self.parts]

        def pull(g: Array, h: Array) -> Array:
            out = module_of(head).empty_like(head)
            for _, _, back in scores:
                back(out, g, h)
            return out

        log_prob, entropy = scores[0][0], scores[0][1]
        for other in scores[1:]:
            log_prob, entropy = log_prob + other[0], entropy + other[1]
        return log_prob, entropy, pull

    def surprise(
        self, head: Array, code: Array
    ) -> tuple[Callable[[], Array], Callable[[Array], Array]]:
        """Negative log-probability, where nobody asks for the entropy; half the work of `score`.

        Returns:
            loss: Works out `[...]`, in nats.
            pull: `g` -> the gradient at the head of `sum(g * loss)`.
        """
        return _sum([part.surprise(head, code) for part in self.parts], head)

    def squares(
        self, head: Array, code: Array
    ) -> tuple[Callable[[], Array], Callable[[Array], Array]]:
        """Squared error of what is continuous and negative log-likelihood of what is chosen.

        Returns:
            loss: Works out `[...]`.
            pull: `g` -> the gradient at the head of `sum(g * loss)`.
        """
        return _sum([part.squares(head, code) for part in self.parts], head)

    def noise(self, rng: np.random.Generator, *lead: int) -> NDArray[np.float32]:
        """`[*lead, width]` what `sample` needs: normal numbers, and Gumbel ones for logits."""
        out = np.empty((*lead, self.width), np.float32)
        for part in self.parts:
            part.noise(rng, out)
        return out

    def sample(self, head: NDArray[Any], noise: NDArray[Any]) -> Action:
        """An action drawn with this noise."""
        code = np.empty_like(noise)
        for part in self.parts:
            part.disturb(head, noise, code)
        return self.decode(code)

    def mode(self, head: NDArray[Any]) -> Action:
        """The most likely action."""
        return self.decode(head)

    def allow(self, head: Out, allowed: Array) -> Out:
        """The head with the logits of forbidden choices far below the others.

        Args:
            head: `[..., width + free]`.
            allowed: `[..., sum(branches)]` bool.

        Returns:
            The same output; its way back gives a forbidden choice no gradient.
        """
        xp = module_of(head.array)
        c = self.num_continuous
        array = xp.concatenate(
            [
                head.array[..., :c],
                xp.where(allowed, head.array[..., c : self.width], FORBIDDEN),
                head.array[..., self.width :],
            ],
            -1,
        )

        def open_only(gradient: Array) -> Array:
            chosen = xp.where(allowed, gradient[..., c : self.width], 0.0)
            return xp.concatenate([gradient[..., :c], chosen, gradient[..., self.width :]], -1)

        return head.through(array, open_only)


def _sum(
    losses: Sequence[Lazy], head: Array
) -> tuple[Callable[[], Array], Callable[[Array], Array]]:
    def loss() -> Array:
        total = losses[0][0]()
        for other, _ in losses[1:]:
            total = total + other()
        return total

    def pull(g: Array) -> Array:
        out = module_of(head).empty_like(head)
        for _, back in losses:
            back(out, g)
        return out

    return loss, pull
