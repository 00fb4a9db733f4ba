"""The distribution of an action as soft actor-critic wants it: it can be drawn with a way back.

What is continuous is drawn (Haarnoja et al., 2018, eq. 11, arXiv:1812.05905). What is chosen is
not: the expectation over all choices is exact (Christodoulou, 2019, eq. 10, arXiv:1910.07207). A
critic prices every choice of every branch at once, and `pick` says how much of each is taken:
one-hot for what was done, probabilities for what a policy would do; without branches there is one
column that is always taken. Of several branches the prices are added: an action's worth is exact up
to one branch.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.spec import ActionSpec
from understudy.ops.arrays import Array, columns, module_of
from understudy.ops.cost import Out
from understudy.ops.product import FORBIDDEN, Choice, Product
from understudy.ops.squashed import DrawPull, Squashed


class Plan(NamedTuple):
    """What a policy would do.

    Attributes:
        action: `[..., C]` continuous numbers, as codes.
        pick: `[..., K]` how much of each of a critic's columns is taken.
        information: `[..., P]` of every part of the action: log density of what is continuous,
            negative entropy of a branch; in nats.
        pull: `(g_action, g_pick, g_information)` -> the gradient at the head.
    """

    action: Array
    pick: Array
    information: Array
    pull: Callable[[Array, Array, Array], Array]


class Expected(Choice):
    """A choice whose expectation is taken. See `Choice`."""

    def __init__(self, logits: slice, code: slice, branch: int, pick: slice) -> None:
        """Args: logits, code, branch: see `Choice`. pick: its columns of a critic."""
        super().__init__(logits, code, branch)
        self.pick = pick

    def draw(self, head: Array) -> tuple[Array, Array, DrawPull]:
        """Probabilities instead of a draw; `pull` takes the gradient at all columns of a critic.

        Returns:
            drawn: `[..., k]` how likely every choice is.
            information: `[...]` negative entropy, in nats.
            pull: See `DrawPull`.

        With `g` at the probabilities p and `h` at the information i,
        d/dz = p (g - sum(p g) + h (log p - i)).
        """
        xp = module_of(head)
        z = columns(head[..., self.logits])
        z = z - xp.amax(z, 0)
        p = xp.exp(z)
        total = p.sum(0)
        p = p / total
        log_p = z - xp.log(total)
        information = (p * log_p).sum(0)
        lead = head.shape[:-1]

        def pull(out: Array, g: Array, g_information: Array) -> None:
            g = columns(g[..., self.pick])
            h = g_information.reshape(-1)
            d = p * (g - (p * g).sum(0) + h * (log_p - information))
            out[..., self.logits] = d.T.reshape(*lead, len(d))

        return p.T.reshape(*lead, len(p)), information.reshape(lead), pull

    def most(self, head: Array) -> Array:
        """`[...]` the largest entropy that the choices which are allowed can have, in nats."""
        allowed = head[..., self.logits] > 0.5 * FORBIDDEN
        return module_of(head).log(allowed.sum(-1, dtype=head.dtype).clip(1))


class SoftProduct(Product):
    """Squashed numbers and choices, all of whose parameters depend on what is seen.

    A head is `[means | logits of every branch | log deviations]`, a code as for `Product`.

    Attributes:
        num_columns: `K`, a critic's columns: all branches' choices, or 1 without branches.
    """

    def __init__(
        self,
        action: ActionSpec,
        center: NDArray[Any] | None = None,
        scale: NDArray[Any] | None = None,
    ) -> None:
        """Args: as for `Product`.

        Raises:
            ValueError: Nothing can be done, or a number has no bounds and no scale was given.
        """
        if not (action.continuous or action.branches):
            raise ValueError("nothing can be done here: the action has no numbers and no branches")
        if scale is None and not action.bounded:
            raise ValueError(
                f"squashed numbers lie between bounds, found low={action.low} high={action.high}; "
                "give the environment bounds, or say `center` and `scale`"
            )
        super().__init__(action, center, scale)
        c, k = action.continuous, action.num_choices
        self.width, self.free, self.num_columns = c + k + c, 0, k or 1
        numbers = Squashed(slice(0, c), slice(c + k, None), slice(0, c), self.center, self.scale)
        self._drawn = [numbers] if c else []
        ends = np.cumsum((c, *action.branches)).tolist()
        self._chosen = [
            Expected(slice(a, b), slice(a, b), branch, slice(a - c, b - c))
            for branch, (a, b) in enumerate(pairwise(ends))
        ]
        self.parts = [*self._drawn, *self._chosen]

    def draw(self, head: Array, noise: Array) -> Plan:
        """What the policy would do, the noise held fixed.

        Args:
            head: `[..., width]`.
            noise: `[..., C]` standard normal.
        """
        xp = module_of(head)
        drawn = [part.draw(head, noise) for part in self._drawn]
        chosen = [part.draw(head) for part in self._chosen]
        parts = [*drawn, *chosen]

        def pull(g_action: Array, g_pick: Array, g_information: Array) -> Array:
            out = xp.empty_like(head)
            for place, (_, _, back) in enumerate(parts):
                g = g_action if place < len(drawn) else g_pick
                back(out, g, g_information[..., place])
            return out

        return Plan(
            drawn[0][0] if drawn else head[..., :0],
            _joined([pick for pick, _, _ in chosen]) if chosen else xp.ones_like(head[..., :1]),
            xp.stack([information for _, information, _ in parts], -1),
            pull,
        )

    def done(self, code: Array) -> tuple[Array, Array]:
        """What was done: `[..., C]` as a critic is told it, `[..., K]` which columns count."""
        c = self.num_continuous
        one = module_of(code).ones_like(code[..., :1])
        return code[..., :c], code[..., c:] if self.branches else one

    def target(self, head: Array, per_number: float, per_choice: float) -> Array:
        """`[..., P]` the entropy that is asked of every part, in nats.

        Args:
            head: `[..., width]`; what is forbidden in it cannot be asked for.
            per_number: Nats of each continuous number, of the number as a code.
            per_choice: Share of the largest entropy that a branch can have.
        """
        xp, c = module_of(head), self.num_continuous
        drawn = [xp.full_like(head[..., 0], per_number * c) for _ in self._drawn]
        return xp.stack([*drawn, *(per_choice * part.most(head) for part in self._chosen)], -1)

    def noise(self, rng: np.random.Generator, *lead: int) -> NDArray[np.float32]:
        """`[*lead, code_width]` what `sample` needs."""
        out = np.empty((*lead, self.code_width), np.float32)
        for part in self.parts:
            part.noise(rng, out)
        return out

    def mode(self, head: NDArray[Any]) -> Action:
        """The median of every number, and the most likely choices."""
        code = head[..., : self.code_width].copy()
        c = self.num_continuous
        np.tanh(code[..., :c], out=code[..., :c])
        return self.decode(code)

    def allow(self, head: Out, allowed: Array) -> Out:
        """See `Product.allow`; deviations are always allowed."""
        xp = module_of(allowed)
        always = xp.ones_like(head.array[..., : self.num_continuous], dtype=allowed.dtype)
        return super().allow(head, xp.concatenate([allowed, always], -1))


def _joined(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else module_of(arrays[0]).concatenate(arrays, -1)
