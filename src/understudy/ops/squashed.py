"""Numbers between bounds: the hyperbolic tangent of a normal number that depends on what is seen.

Haarnoja et al. (2018), "Soft Actor-Critic Algorithms and Applications", appendix C,
arXiv:1812.05905. Both ways back are written by hand; with `u = mean + std * e` and `a = tanh(u)`
the log density of `a` is that of `u` less `log(1 - a^2) = 2 (log 2 - |u| - log(1 + e^(-2 |u|)))`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.ops.arrays import Array, module_of
from understudy.ops.product import LOG_2PI, Lazy, Pull

LOWEST, HIGHEST = -5.0, 2.0
"""Where a log deviation may lie. It is led there by a tangent: a cut would have no gradient."""
EDGE = 0.999
"""A shown number beyond this is taken to be here, in code units.

Note:
    Others cut at 1 - 1e-6. A mean that was cloned from there, 7.3, leaves a critic no gradient to
    come back with (1 - a^2 = 2e-6); this one, 3.8, does, and is a thousandth away from the bound.
"""

DrawPull = Callable[[Array, Array, Array], None]
"""`pull(out, g, g_information)`: writes into `out` the gradient at the head of
`sum(g * drawn) + sum(g_information * information)`."""


class Squashed:
    """Independent squashed normal numbers; mean and deviation are outputs. See `Part`."""

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

    def _normal(self, head: Array) -> tuple[Array, Array, Array]:
        """Mean, log deviation, and how fast that moves with its column."""
        bent = module_of(head).tanh(head[..., self.log_std])
        half = 0.5 * (HIGHEST - LOWEST)
        return head[..., self.mean], LOWEST + half * (bent + 1), half * (1 - bent * bent)

    def draw(self, head: Array, noise: Array) -> tuple[Array, Array, DrawPull]:
        """A draw that moves with its distribution, the noise held fixed.

        Args:
            head: `[..., width]`.
            noise: `[..., C]` standard normal.

        Returns:
            drawn: `[..., C]` in (-1, 1).
            information: `[...]` its log density, in nats.
            pull: See `DrawPull`.
        """
        xp = module_of(head)
        mean, log_std, slope = self._normal(head)
        moved = xp.exp(log_std) * noise
        u = mean + moved
        a = xp.tanh(u)
        far = abs(u)
        normal = 0.5 * noise * noise + log_std + 0.5 * LOG_2PI
        squash = 2 * (math.log(2) - far - xp.log(1 + xp.exp(-2 * far)))
        information = -(normal + squash).sum(-1)

        def pull(out: Array, g: Array, g_information: Array) -> None:
            gi = g_information[..., None]
            gu = g * (1 - a * a) + 2 * gi * a
            out[..., self.mean] = gu
            out[..., self.log_std] = (gu * moved - gi) * slope

        return a, information, pull

    def _unsquashed(self, code: Array) -> tuple[Array, Array]:
        a = code[..., self.code].clip(-EDGE, EDGE)
        return a, 0.5 * module_of(code).log((1 + a) / (1 - a))

    def score(self, head: Array, code: Array) -> tuple[Array, Array, Pull]:
        """See `Part.score`; the entropy, which has no closed form, is nan.

        Raises:
            ValueError: When the way back is taken, which would need the entropy's.
        """
        loss, _ = self.surprise(head, code)
        log_prob = -loss()

        def pull(out: Array, g: Array, h: Array) -> None:
            raise ValueError(
                "the entropy of a squashed Gaussian has no closed form: on-policy learners want "
                "Product(spec.action), not SoftProduct"
            )

        return log_prob, log_prob * math.nan, pull

    def surprise(self, head: Array, code: Array) -> Lazy:
        """See `Part.surprise`; numbers beyond `EDGE` are taken to be there."""
        xp = module_of(head)
        mean, log_std, slope = self._normal(head)
        inverse = xp.exp(-log_std)
        a, u = self._unsquashed(code)
        z = (mean - u) * inverse

        def loss() -> Array:
            return (0.5 * z * z + log_std + 0.5 * LOG_2PI + xp.log(1 - a * a)).sum(-1)

        def pull(out: Array, g: Array) -> None:
            g = g[..., None]
            out[..., self.mean] = g * z * inverse
            out[..., self.log_std] = g * (1 - z * z) * slope

        return loss, pull

    def squares(self, head: Array, code: Array) -> Lazy:
        """Half the squared error of the squashed means, plus the deviations' own likelihood.

        As for `Gaussian.squares`, deviations follow the errors but do not weigh them.
        """
        xp = module_of(head)
        mean, log_std, slope = self._normal(head)
        _, u = self._unsquashed(code)
        center = xp.tanh(mean)
        error = center - code[..., self.code]
        z = (mean - u) * xp.exp(-log_std)
        squared = z * z

        def loss() -> Array:
            return (0.5 * error * error + 0.5 * squared + log_std + 0.5 * LOG_2PI).sum(-1)

        def pull(out: Array, g: Array) -> None:
            g = g[..., None]
            out[..., self.mean] = g * error * (1 - center * center)
            out[..., self.log_std] = g * (1 - squared) * slope

        return loss, pull

    def noise(self, rng: np.random.Generator, out: NDArray[np.float32]) -> None:
        """See `Part.noise`: normal numbers."""
        normal = out[..., self.code]
        normal[...] = rng.standard_normal(normal.shape, np.float32)

    def disturb(self, head: NDArray[Any], noise: NDArray[Any], out: NDArray[Any]) -> None:
        """See `Part.disturb`."""
        mean, log_std, _ = self._normal(head)
        out[..., self.code] = np.tanh(mean + np.exp(log_std) * noise[..., self.code])

    def decode(self, code: NDArray[Any], action: Action) -> None:
        """See `Part.decode`."""
        np.multiply(code[..., self.code], self.scale, out=action.continuous)
        action.continuous[...] += self.center
