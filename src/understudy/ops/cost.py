"""A loss as its value and its gradient at every network output, in closed form.

No tape is kept: an equation knows its own derivative, and a network's output knows the way back
into the network's parameters. So a learner adds costs and says `backward()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from understudy.ops.arrays import Array

Seed = tuple["Out", Array]
"""An output and the gradient of a loss there."""


class Out:
    """A network's output: its numbers, and the ways back.

    Attributes:
        array: `[..., P]` the output's numbers.
    """

    __slots__ = ("_back", "_pull", "array")

    def __init__(
        self,
        array: Array,
        pull: Callable[[Array], None],
        back: Callable[[Array], Array] | None = None,
    ) -> None:
        """Args: array: the numbers; pull, back: gradient at the output -> see the methods."""
        self.array = array
        self._pull = pull
        self._back = back

    def pull(self, gradient: Array) -> None:
        """Add a gradient at this output into the gradients of the parameters behind it.

        Raises:
            ValueError: The gradient has another shape (torch would silently sum it to size).
        """
        self._check(gradient)
        self._pull(gradient)

    def back(self, gradient: Array) -> Array:
        """The gradient at the network's input, the network itself held fixed.

        Raises:
            ValueError: The gradient has another shape, or nothing leads back to an input.
        """
        self._check(gradient)
        if self._back is None:
            raise ValueError("nothing leads from this output back to an input")
        return self._back(gradient)

    @classmethod
    def pull_all(cls, seeds: Sequence[Seed]) -> None:
        """Pull several at once; kinds of output that share a way back do it together."""
        for out, gradient in seeds:
            out.pull(gradient)

    def _check(self, gradient: Array) -> None:
        if gradient.shape != self.array.shape:
            raise ValueError(
                f"gradient {tuple(gradient.shape)} at an output {tuple(self.array.shape)}"
            )


class Cost:
    """A weighted sum of losses: its value, and its gradient at every output that it looked at.

    Costs add, and a number times a cost is a cost. `Cost()` is zero.
    """

    __slots__ = ("_value", "seeds")

    def __init__(
        self, value: Callable[[], float] = lambda: 0.0, seeds: Sequence[Seed] = ()
    ) -> None:
        """Args: value: works out the value, when somebody reads it. seeds: outputs and gradients.

        Nobody reads most values but the log, so they are not worked out before they are asked for.
        """
        self._value = value
        self.seeds = tuple(seeds)

    @classmethod
    def of(cls, scalar: Any) -> Cost:
        """A loss that torch worked out: any scalar tensor with a graph behind it."""
        from understudy.ops.tape import taped_scalar

        return taped_scalar(scalar)

    @property
    def value(self) -> float:
        """The loss."""
        return self._value()

    def __add__(self, other: Cost) -> Cost:
        return Cost(lambda: self._value() + other._value(), self.seeds + other.seeds)

    def __rmul__(self, weight: float) -> Cost:
        if weight == 1:
            return self
        return Cost(lambda: weight * self._value(), [(o, weight * g) for o, g in self.seeds])

    def backward(self) -> None:
        """Add this loss's gradient into the gradients of all parameters behind it."""
        kinds = {type(out) for out, _ in self.seeds}
        for kind in sorted(kinds, key=lambda k: k.__name__) if len(kinds) > 1 else kinds:
            kind.pull_all([seed for seed in self.seeds if type(seed[0]) is kind])
