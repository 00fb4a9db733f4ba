"""Fully connected networks in numpy: forward, hand-written backward, and a runner for acting.

Small networks on a CPU are slow because of a thousand small calls, not because of arithmetic; so
there is no tape, no module and no allocation beyond the layers' outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.nets.flat import F32, Flat, Vector
from understudy.nets.threads import fitting_threads
from understudy.ops.cost import Out

Activation = Literal["tanh", "relu"]

# A product with ones is three times as fast as a sum over a small batch, and a maximum against a
# contiguous array two to three times as fast as one against a number.
_ONES = np.ones(1 << 12, F32)
_ZEROS = np.zeros(1 << 17, F32)
# An array without axes is converted once, a number at every call.
_ZERO, _ONE = np.array(0, F32), np.array(1, F32)


class Dense:
    """Layers `x W + b` with an activation between them.

    The last `free` outputs do not see the input: they are learned constants (log deviations).
    """

    def __init__(
        self,
        sizes: Sequence[int],
        flat: Flat,
        rng: np.random.Generator,
        *,
        name: str,
        activation: Activation = "tanh",
        free: int = 0,
        gain: float = 1.0,
    ) -> None:
        """Take room for the parameters and draw them.

        Args:
            sizes: Input width, hidden widths, output width without `free`.
            flat: Where the parameters live.
            rng: Draws orthogonal weights (Saxe et al., 2014, arXiv:1312.6120), times sqrt 2.
            name: Prefix of the parameters' names.
            activation: Between layers.
            free: How many constant outputs follow the others.
            gain: Of the last layer's weights, instead of sqrt 2.
        """
        self.activation: Activation = activation
        self.free = free
        self.weights: list[tuple[Vector, Vector]] = []
        self.biases: list[tuple[Vector, Vector]] = []
        last = len(sizes) - 2
        for k, (i, o) in enumerate(pairwise(sizes)):
            self.weights.append(flat.take(f"{name}.{k}.weight", i, o))
            self.biases.append(flat.take(f"{name}.{k}.bias", o + (free if k == last else 0)))
            self.weights[-1][0][:] = orthogonal(rng, i, o, gain if k == last else 2**0.5)

    @staticmethod
    def count(sizes: Sequence[int], free: int = 0) -> int:
        """How many parameters a network of these sizes has."""
        return sum(i * o + o for i, o in pairwise(sizes)) + free

    def __call__(self, x: Vector) -> Out:
        """`[..., D]` float32 -> `[..., P + free]`."""
        lead, seen = x.shape[:-1], self._hidden(x)
        w, b = self.weights[-1][0], self.biases[-1][0]
        if self.free:
            y = np.empty((len(seen[-1]), len(b)), F32)
            y[:, : w.shape[1]] = np.dot(seen[-1], w)
            y[:, w.shape[1] :] = 0
        else:
            y = np.dot(seen[-1], w)
        y += b
        return self._out(y, seen, lead)

    def _hidden(self, x: Vector) -> list[Vector]:
        """The input and every hidden layer, as rows."""
        seen = [x.reshape(-1, x.shape[-1])]
        for (w, _), (b, _) in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = np.dot(seen[-1], w)
            h += b
            seen.append(_activate(h, self.activation))
        return seen

    def _out(self, y: Vector, seen: list[Vector], lead: tuple[int, ...]) -> Out:
        def first(count: int) -> Out:
            rows = len(y) // lead[0] * count
            return self._out(y[:rows], [h[:rows] for h in seen], (count, *lead[1:]))

        return Out(
            y.reshape(*lead, y.shape[-1]),
            lambda g: self._pull(seen, g),
            lambda g: self._back(seen, g).reshape(*lead, -1),
            first,
        )

    def _pull(self, seen: list[Vector], gradient: Vector) -> None:
        # Products of float32 with float64 would leave the fast path without a word.
        d = gradient.reshape(len(seen[0]), gradient.shape[-1]).astype(F32, copy=False)
        for k in range(len(self.weights) - 1, -1, -1):
            grad_b = self.biases[k][1]
            grad_b += np.dot(_ONES[: len(d)], d) if len(d) <= len(_ONES) else d.sum(0)
            d = self._bound(k, d)
            grad_w = self.weights[k][1]
            grad_w += np.dot(seen[k].T, d)
            if k:
                d = self._through(seen, k, d)

    def _back(self, seen: list[Vector], gradient: Vector) -> Vector:
        d = gradient.reshape(len(seen[0]), gradient.shape[-1]).astype(F32, copy=False)
        for k in range(len(self.weights) - 1, 0, -1):
            d = self._through(seen, k, self._bound(k, d))
        return np.dot(self._bound(0, d), self.weights[0][0].T)

    def _bound(self, k: int, d: Vector) -> Vector:
        """The gradient at the outputs of layer `k` that do see the input."""
        return d[:, : d.shape[1] - self.free] if self.free and k == len(self.weights) - 1 else d

    def _through(self, seen: list[Vector], k: int, d: Vector) -> Vector:
        """From the gradient above layer `k` to the one below the activation that feeds it."""
        d, h = np.dot(d, self.weights[k][0].T), seen[k]
        d *= _slope(h, self.activation)
        return d

    def slope(self, x: Vector) -> Out:
        """The gradient of a single output at its input, as an output of its own: `[..., D]`.

        Its way back takes `u [..., D]` and adds the gradient of `u . slope` (Pearlmutter, 1994,
        "Fast exact multiplication by the Hessian"): `u` is carried forward through the linearized
        layers, and meets at every weight what had been carried backward. Where the activation is
        curved its second derivative adds a gradient, which walks back as any other; that of a
        rectifier is 0 (it has none where its input is exactly 0).

        Raises:
            ValueError: There is another number of outputs than one.
        """
        if self.free or self.weights[-1][0].shape[1] != 1:
            outputs = self.weights[-1][0].shape[1] + self.free
            raise ValueError(f"the slope of {outputs} outputs: expected one that sees the input")
        seen, last = self._hidden(x), len(self.weights) - 1
        bends = [_slope(h, self.activation) for h in seen[1:]]
        # What arrives from above before (`upper`) and behind (`lower`) every layer's activation.
        lower = [np.ones((len(seen[0]), 1), F32)]
        upper: list[Vector] = []
        for k in range(last, 0, -1):
            upper.insert(0, np.dot(lower[0], self.weights[k][0].T))
            lower.insert(0, upper[0] * bends[k - 1])
        slope = np.dot(lower[0], self.weights[0][0].T)

        def pull(u: Vector) -> None:
            t = u.reshape(slope.shape).astype(F32, copy=False)
            curved: list[Vector] = []
            for k, (w, grad) in enumerate(self.weights):
                grad += np.dot(t.T, lower[k])
                if k < last:
                    s = np.dot(t, w)
                    t = s * bends[k]
                    if self.activation == "tanh":
                        curved.append(F32(-2) * seen[k + 1] * bends[k] * s * upper[k])
            if curved:
                self._pull_inside(seen, curved)

        return Out(slope.reshape(x.shape), pull)

    def _pull_inside(self, seen: list[Vector], gradients: list[Vector]) -> None:
        """Pull gradients at the sums before every activation."""
        d = np.zeros_like(gradients[-1])
        for k in range(len(gradients) - 1, -1, -1):
            d += gradients[k]
            grad_w, grad_b = self.weights[k][1], self.biases[k][1]
            grad_w += np.dot(seen[k].T, d)
            grad_b += d.sum(0)
            if k:
                d = self._through(seen, k, d)

    def runner(self, rows: int) -> Callable[[Vector], Vector]:
        """A function `[rows, D] -> [rows, P + free]` that reuses its memory, for acting.

        It reads the parameters as they are when it is called.
        """
        weights, biases = [w for w, _ in self.weights], [b for b, _ in self.biases]
        *layers, (w_last, b_last, y_last) = [
            # Biases as rows, which is an output's shape where one observation is looked at.
            (w, b[None], np.empty((rows, w.shape[1]), F32))
            for w, b in zip(weights, biases, strict=True)
        ]
        steps = [(w, b, y, _prepared(self.activation, y)) for w, b, y in layers]
        out, seeing = np.empty((rows, b_last.shape[1]), F32), w_last.shape[1]
        outputs, constants = out[:, :seeing], out[:, seeing:]
        b_outputs, b_constants = b_last[:, :seeing], b_last[:, seeing:]

        def run(x: Vector) -> Vector:
            for w, b, y, activate in steps:
                np.dot(x, w, y)
                np.add(y, b, y)
                x = activate(y, out=y)
            np.dot(x, w_last, y_last)
            np.add(y_last, b_outputs, outputs)
            constants[...] = b_constants
            return out

        return run


def orthogonal(rng: np.random.Generator, rows: int, columns: int, gain: float) -> Vector:
    """A random `[rows, columns]` matrix with orthonormal rows or columns, times `gain`."""
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    # On a machine with other work the second thread makes a second of this millisecond; and with
    # one the weights of a seed are the same on every machine.
    with fitting_threads(normal.size):
        q, r = np.linalg.qr(normal)
    q *= np.where(np.diag(r) < 0, -1, 1)
    return (gain * (q if rows >= columns else q.T)).astype(F32)


def _prepared(activation: Activation, h: Vector) -> Callable[..., Vector]:
    """The activation from one array of this shape into another, `out`."""
    return np.tanh if activation == "tanh" else partial(np.maximum, np.zeros_like(h))


def _slope(h: Vector, activation: Activation) -> NDArray[Any]:
    """The activation's derivative where it has come to `h`; true and false for a rectifier."""
    if activation == "relu":
        return h > _ZERO
    slope = np.multiply(h, h)
    return np.subtract(_ONE, slope, out=slope)


def _activate(h: Vector, activation: Activation) -> Vector:
    """The activation, in place."""
    if activation == "tanh":
        return np.tanh(h, h)
    zeros = _ZEROS[: h.size].reshape(h.shape) if h.size <= len(_ZEROS) else _ZERO
    return np.maximum(h, zeros, out=h)
