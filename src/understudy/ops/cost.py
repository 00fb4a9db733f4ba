"""A loss as its value and its gradient at every network output, in closed form.

No tape is kept: an equation knows its own derivative, and a network's output knows the way back
into the network's parameters. So a learner adds costs and says `backward()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from understudy.ops.arrays import Array, module_of

Seed = tuple["Out", Array]
"""An output and the gradient of a loss there."""


class Out:
    """A network's output: its numbers, and the ways back.

    Attributes:
        array: `[..., P]` the output's numbers.
    """

    __slots__ = ("_back", "_first", "_pull", "array")

    def __init__(
        self,
        array: Array,
        pull: Callable[[Array], None],
        back: Callable[[Array], Array] | None = None,
        first: Callable[[int], Out] | None = None,
    ) -> None:
        """Args: array: the numbers; pull, back, first: see the methods."""
        self.array = array
        self._pull = pull
        self._back = back
        self._first = first

    def pull(self, gradient: Array) -> None:
        """Add a gradient at this output into the gradients of the parameters behind it.

        Raises:
            ValueError: The gradient has another shape (torch would silently sum it to size).
        """
        self.check(gradient)
        self._pull(gradient)

    def back(self, gradient: Array) -> Array:
        """The gradient at the network's input, the network itself held fixed.

        Raises:
            ValueError: The gradient has another shape, or nothing leads back to an input.
        """
        self.check(gradient)
        if self._back is None:
            raise ValueError("nothing leads from this output back to an input")
        return self._back(gradient)

    def through(self, array: Array, way: Callable[[Array], Array]) -> Out:
        """An output made from this one.

        Args:
            array: Its numbers.
            way: A gradient there -> the gradient here.
        """
        return _Derived(self, array, way)

    def first(self, count: int) -> Out:
        """The first `count` rows of an output `[L, ...]`, with the same ways back."""
        if self._first is not None:
            return self._first(count)
        xp, rest = module_of(self.array), self.array[count:]
        return self.through(
            self.array[:count], lambda g: xp.concatenate([g, xp.zeros_like(rest)], 0)
        )

    @classmethod
    def pull_all(cls, seeds: Sequence[Seed]) -> None:
        """Pull several at once; kinds of output that share a way back do it together."""
        for out, gradient in seeds:
            out.pull(gradient)

    def check(self, gradient: Array) -> None:
        """Raise unless the gradient has this output's shape."""
        if gradient.shape != self.array.shape:
            raise ValueError(
                f"gradient {tuple(gradient.shape)} at an output {tuple(self.array.shape)}"
            )


class _Derived(Out):
    """An output made from another: its gradients are settled at that one.

    So outputs that share a tape stay in one pass over it, whatever was made from them.
    """

    __slots__ = ("origin", "way")

    def __init__(self, origin: Out, array: Array, way: Callable[[Array], Array]) -> None:
        super().__init__(array, lambda g: origin.pull(way(g)), lambda g: origin.back(way(g)))
        self.origin, self.way = origin, way


def _settle(seeds: Sequence[Seed]) -> list[Seed]:
    """The same gradients at the outputs that networks made, one for each."""
    found: dict[int, Seed] = {}
    for out, gradient in seeds:
        while isinstance(out, _Derived):
            out.check(gradient)
            out, gradient = out.origin, out.way(gradient)
        out.check(gradient)  # a sum could hide that one of two has another shape
        if id(out) in found:
            gradient = found[id(out)][1] + gradient
        found[id(out)] = out, gradient
    return list(found.values())


class Cost:
    """A weighted sum of losses: its value, and its gradient at every output that it looked at.

    Costs add, and a number times a cost is a cost. `Cost()` is zero.
    """

    __slots__ = ("_value", "seeds")
    __array_ufunc__ = None  # so that a numpy number leaves `weight * cost` to the cost

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

    def __float__(self) -> float:
        return self._value()

    def __add__(self, other: Cost) -> Cost:
        return Cost(lambda: self._value() + other._value(), self.seeds + other.seeds)

    def __rmul__(self, weight: float) -> Cost:
        weight = float(weight)  # a numpy float64 would make float64 of every gradient
        if weight == 1:
            return self
        return Cost(lambda: weight * self._value(), [(o, weight * g) for o, g in self.seeds])

    def backward(self) -> None:
        """Add this loss's gradient into the gradients of all parameters behind it."""
        kinds: dict[type[Out], list[Seed]] = {}
        for seed in _settle(self.seeds):
            kinds.setdefault(type(seed[0]), []).append(seed)
        for kind, seeds in kinds.items():
            kind.pull_all(seeds)
