"""All parameters of one model in one buffer, and one optimizer call over it.

Layers, numpy arrays and torch parameters are views of the same memory, so that an optimizer step,
a moving average or a copy is one call whatever the network looks like.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from understudy.errors import NonFiniteError

F32 = np.float32
Vector = NDArray[np.float32]
_NOTHING: Mapping[str, SupportsFloat] = MappingProxyType({})


class Flat:
    """Parameters and their gradients, each one contiguous array.

    Attributes:
        value: `[P]` float32.
        grad: `[P]` float32; what is pulled is added here, and an optimizer clears it.
        names: Parameter name to its place and shape.
    """

    def __init__(self, size: int) -> None:
        """Args: size: `P`, how many numbers."""
        self.value = np.zeros(size, F32)
        self.grad = np.zeros(size, F32)
        self.names: dict[str, tuple[slice, tuple[int, ...]]] = {}
        self._used = 0

    def take(self, name: str, *shape: int) -> tuple[Vector, Vector]:
        """The next views of this shape: value and gradient.

        Raises:
            ValueError: The name is taken, or the buffer is full.
        """
        place = slice(self._used, self._used + math.prod(shape))
        if name in self.names:
            raise ValueError(f"parameter '{name}' exists already")
        if place.stop > len(self.value):
            raise ValueError(f"no room for parameter '{name}' {shape}")
        self.names[name] = place, shape
        self._used = place.stop
        return self.value[place].reshape(shape), self.grad[place].reshape(shape)

    def named(self, values: Vector | None = None) -> dict[str, Vector]:
        """Every parameter by name, as views of `value` (or of another buffer of its size)."""
        buffer = self.value if values is None else values
        return {name: buffer[place].reshape(shape) for name, (place, shape) in self.names.items()}

    def matrices(self) -> list[Vector]:
        """The values of parameters with two axes or more, as views."""
        return [x for x in self.named().values() if x.ndim > 1]

    def state_dict(self) -> dict[str, Any]:
        """A copy of every parameter by name."""
        return {name: x.copy() for name, x in self.named().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over parameters by name.

        Raises:
            ValueError: Names or shapes differ.
        """
        mine = self.named()
        if set(mine) != set(state):
            odd = sorted(set(mine) ^ set(state))
            raise ValueError(f"parameters differ: {', '.join(odd[:5])}")
        for name, x in mine.items():
            if x.shape != tuple(state[name].shape):
                raise ValueError(f"parameter '{name}' is {x.shape}, found {state[name].shape}")
            x[:] = state[name]


class Adam:
    """Adam over one buffer (Kingma and Ba, 2015, algorithm 1, arXiv:1412.6980).

    With weight decay it is AdamW (Loshchilov and Hutter, 2019, algorithm 2, arXiv:1711.05101).

    Attributes:
        mean: `[P]` the running mean of the gradient, divided by `1 - BETA1`.
        square: `[P]` the running mean of its square, divided by `1 - BETA2`.
        num_steps: How many so far.

    Note:
        Kept like this both are discounted sums, and what they lack is one factor of the step with
        the corrections of the start: two passes over the parameters less.
    """

    BETA1, BETA2 = 0.9, 0.999
    # An array without axes is converted once, a number at every step.
    _KEEP1, _KEEP2 = np.array(BETA1, F32), np.array(BETA2, F32)

    def __init__(
        self, flat: Flat, *, eps: float = 1e-8, max_norm: float | None = None, decay: float = 0.0
    ) -> None:
        """Start with moments of zero.

        Args:
            flat: What to step.
            eps: Added to the root of the second moment.
            max_norm: A longer gradient is cut to this length.
            decay: How much of itself a matrix loses per unit of learning rate. Biases, gains and
                learned constants keep themselves: a log deviation of 0 is no simpler than another.
        """
        self.flat, self.eps, self.max_norm, self.decay = flat, eps, max_norm, decay
        self._decaying = flat.matrices() if decay else []
        self.num_steps = 0
        self.mean, self.square, self._spare = (np.zeros_like(flat.value) for _ in range(3))

    def step(self, learning_rate: float, figures: Mapping[str, SupportsFloat] = _NOTHING) -> None:
        """Move the parameters against the gradient, and clear the gradient.

        Args:
            learning_rate: How far.
            figures: Losses and the like, by name, to be said if the gradient is not finite.

        Raises:
            NonFiniteError: The gradient is nan or infinite, or too long for float32; parameters
                and moments are as they were.
        """
        g, m, v, t = self.flat.grad, self.mean, self.square, self._spare
        with np.errstate(over="ignore"):
            squared_norm = float(np.dot(g, g))
        if not math.isfinite(squared_norm):
            raise NonFiniteError(self._complaint(figures))
        self.num_steps += 1
        if self.max_norm is not None:
            norm = math.sqrt(squared_norm)
            if norm > self.max_norm:
                g *= F32(self.max_norm / (norm + 1e-6))
        for weight in self._decaying:
            weight *= F32(1 - learning_rate * self.decay)
        m *= self._KEEP1
        m += g
        np.multiply(g, g, out=t)
        v *= self._KEEP2
        v += t
        mean = (1 - self.BETA1) / (1 - self.BETA1**self.num_steps)
        root = math.sqrt((1 - self.BETA2) / (1 - self.BETA2**self.num_steps))
        np.sqrt(v, out=t)
        t += F32(self.eps / root)
        np.divide(m, t, out=t)
        t *= F32(learning_rate * mean / root)
        self.flat.value -= t
        g.fill(0)

    def _complaint(self, figures: Mapping[str, SupportsFloat]) -> str:
        """Which parameter's gradient is at fault, and which of the figures."""
        gradients = self.flat.named(self.flat.grad) or {"the parameters": self.flat.grad}
        worst = {name: float(np.abs(g).max(initial=0)) for name, g in gradients.items()}
        # One nan may have made others on its way; the first layer is where to begin to look.
        odd = [name for name, most in worst.items() if not math.isfinite(most)]
        name = odd[0] if odd else max(worst, key=lambda n: worst[n])
        said = "".join(f", {key} is {float(x):.3g}" for key, x in figures.items())
        found = "not finite" if odd else f"as large as {worst[name]:.3g}"
        return (
            f"the gradient of {name} is {found}{said}; the weights are as they were before. Lower "
            "learning_rate, or look for huge rewards and observations"
        )

    def state_dict(self) -> dict[str, Any]:
        """Moments and step count."""
        return {
            "mean": self.mean.copy(),
            "square": self.square.copy(),
            "num_steps": self.num_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over moments and step count."""
        self.mean[:], self.square[:] = state["mean"], state["square"]
        self.num_steps = int(state["num_steps"])
