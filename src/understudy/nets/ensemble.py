"""Several dense networks of one shape at once: every layer is one batched product.

An ensemble saves calls, not arithmetic; small networks on a CPU are slow because of calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from understudy.nets.dense import Activation, orthogonal
from understudy.nets.flat import F32, Flat, Vector
from understudy.ops.cost import Out

_TINY = F32(1e-5)
_UNTAUGHT = np.zeros(0, F32)


class Seen(NamedTuple):
    """What a pass left for the way back.

    Attributes:
        inputs: Of every layer: `[n, D]`, then `[N, n, width]`.
        normals: Of every layer norm: `[N, n, width]` what it made before its gain, and
            `[N, n, 1]` the inverse deviations.
    """

    inputs: list[Vector]
    normals: list[tuple[Vector, Vector]]


class Ensemble:
    """`N` networks with layers `x W + b`, layer norm if asked, and an activation between them.

    Layer norm is that of Ba et al. (2016), arXiv:1607.06450.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        copies: int,
        flat: Flat,
        rng: np.random.Generator,
        *,
        name: str,
        activation: Activation = "relu",
        layer_norm: bool = False,
        gain: float = 1.0,
    ) -> None:
        """Take room for the parameters and draw them.

        Args:
            sizes: Input width, hidden widths, output width.
            copies: `N`.
            flat: Where the parameters live.
            rng: Draws orthogonal weights, each network its own.
            name: Prefix of the parameters' names.
            activation: Between layers.
            layer_norm: Whether every hidden layer is normalized before its activation.
            gain: Of the last layer's weights, instead of sqrt 2.
        """
        self.copies, self.activation, self.layer_norm = copies, activation, layer_norm
        self.weights: list[tuple[Vector, Vector]] = []
        self.biases: list[tuple[Vector, Vector]] = []
        self.gains: list[tuple[Vector, Vector]] = []
        self.shifts: list[tuple[Vector, Vector]] = []
        last = len(sizes) - 2
        for k, (i, o) in enumerate(pairwise(sizes)):
            self.weights.append(flat.take(f"{name}.{k}.weight", copies, i, o))
            self.biases.append(flat.take(f"{name}.{k}.bias", copies, 1, o))
            for w in self.weights[-1][0]:
                w[:] = orthogonal(rng, i, o, gain if k == last else 2**0.5)
            if layer_norm and k < last:
                self.gains.append(flat.take(f"{name}.{k}.gain", copies, 1, o))
                self.shifts.append(flat.take(f"{name}.{k}.shift", copies, 1, o))
                self.gains[-1][0][:] = 1

    @staticmethod
    def count(sizes: Sequence[int], copies: int, layer_norm: bool = False) -> int:
        """How many parameters an ensemble of these sizes has."""
        one = sum(i * o + o for i, o in pairwise(sizes))
        return copies * (one + 2 * layer_norm * sum(sizes[1:-1]))

    def picked(self, which: Vector) -> Ensemble:
        """Copies of the networks with these numbers, as they are now: to ask, not to teach.

        All of them in their order are not copied.
        """
        if which.tolist() == list(range(self.copies)):
            return self
        some = copy(self)
        some.copies = len(which)
        for name in ("weights", "biases", "gains", "shifts"):
            pairs = getattr(self, name)
            setattr(some, name, [(value[which], _UNTAUGHT) for value, _ in pairs])
        return some

    def __call__(self, x: Vector) -> Out:
        """`[..., D]` float32 -> `[N, ..., P]`."""
        lead = x.shape[:-1]
        seen = Seen([x.reshape(-1, x.shape[-1])], [])
        last = len(self.weights) - 1
        y = self._linear(0, seen.inputs[0])
        for k in range(last):
            if self.layer_norm:
                seen.normals.append(_normal(y))
                y = seen.normals[-1][0] * self.gains[k][0]
                y += self.shifts[k][0]
            seen.inputs.append(self._activate(y))
            y = self._linear(k + 1, y)
        return Out(
            y.reshape(self.copies, *lead, -1),
            lambda g: self._pull(seen, g),
            lambda g: self._back(seen, g).reshape(*lead, -1),
        )

    def _linear(self, k: int, x: Vector) -> Vector:
        y = np.matmul(x, self.weights[k][0])
        y += self.biases[k][0]
        return y

    def _activate(self, y: Vector) -> Vector:
        """The activation, in place."""
        if self.activation == "tanh":
            return np.tanh(y, y)
        # A maximum against an array is several times as fast as one against a number.
        return np.maximum(y, _zeros(y.size).reshape(y.shape), out=y)

    def _pull(self, seen: Seen, gradient: Vector) -> None:
        d = self._rows(seen, gradient)
        for k in range(len(self.weights) - 1, -1, -1):
            grad_w, grad_b = self.weights[k][1], self.biases[k][1]
            grad_w += np.matmul(seen.inputs[k].swapaxes(-1, -2), d)
            grad_b += _total(d)
            if not k:
                return
            d = self._through(seen, k, d)
            if self.layer_norm:
                normal, inverse = seen.normals[k - 1]
                grad_gain, grad_shift = self.gains[k - 1][1], self.shifts[k - 1][1]
                grad_gain += _total(d * normal)
                grad_shift += _total(d)
                d = _normal_back(d * self.gains[k - 1][0], normal, inverse)

    def _back(self, seen: Seen, gradient: Vector) -> Vector:
        d = self._rows(seen, gradient)
        for k in range(len(self.weights) - 1, 0, -1):
            d = self._through(seen, k, d)
            if self.layer_norm:
                d = _normal_back(d * self.gains[k - 1][0], *seen.normals[k - 1])
        return _outer(d, self.weights[0][0]).sum(0)

    def _rows(self, seen: Seen, gradient: Vector) -> Vector:
        # Products of float32 with float64 would leave the fast path without a word.
        shape = self.copies, len(seen.inputs[0]), self.weights[-1][0].shape[-1]
        return np.ascontiguousarray(gradient, F32).reshape(shape)

    def _through(self, seen: Seen, k: int, d: Vector) -> Vector:
        """From the gradient above layer `k` to the one below the activation that feeds it."""
        d, h = _outer(d, self.weights[k][0]), seen.inputs[k]
        if self.activation == "relu":
            d *= h > 0
            return d
        slope = h * h
        np.subtract(1, slope, out=slope)
        d *= slope
        return d


@lru_cache(maxsize=16)
def _zeros(size: int) -> Vector:
    return np.zeros(size, F32)


@lru_cache(maxsize=64)
def _ones(*shape: int) -> Vector:
    return np.ones(shape, F32)


def _outer(d: Vector, w: Vector) -> Vector:
    """`d W^T`; a product with one column between is a multiplication, six times as fast."""
    w = w.swapaxes(-1, -2)
    return d * w if d.shape[-1] == 1 else np.matmul(d, w)


def _total(d: Vector) -> Vector:
    """`[N, 1, width]` the sum over rows: a product with ones is faster than a sum."""
    return np.matmul(_ones(1, d.shape[1]), d)


def _normal(y: Vector) -> tuple[Vector, Vector]:
    """Mean 0 and deviation 1 over the features, in place, and the inverse deviations."""
    width = y.shape[-1]
    y -= np.matmul(y, _ones(width, 1)) / F32(width)
    inverse = (np.einsum("nbi,nbi->nb", y, y) / F32(width) + _TINY) ** F32(-0.5)
    inverse = inverse[..., None]
    y *= inverse
    return y, inverse


def _normal_back(d: Vector, normal: Vector, inverse: Vector) -> Vector:
    """The gradient before a normalization from the one behind it, in place."""
    width = F32(d.shape[-1])
    along = np.einsum("nbi,nbi->nb", d, normal)[..., None] / width
    d -= np.matmul(d, _ones(d.shape[-1], 1)) / width
    d -= normal * along
    d *= inverse
    return d
