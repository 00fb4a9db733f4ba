"""A row as one vector: what was seen in deviations, and what was done as it was executed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.spec import Spec
from understudy.errors import ConfigError
from understudy.nets.discriminator import Executed
from understudy.nets.flat import F32
from understudy.nets.vectors import Vectors
from understudy.ops.product import Product


class RowVectors:
    """Rows as points whose distances mean something.

    Attributes:
        width: `D`.
    """

    def __init__(self, spec: Spec, dist: Product, *, done: bool) -> None:
        """Settle which columns there are.

        Args:
            spec: What is seen.
            dist: The policy's distribution: its codes are what was done.
            done: Whether what was done is part of a row, beside what was seen.

        Raises:
            ConfigError: Something is seen that is no vector.
        """
        odd = [f"{o.kind} '{n}'" for n, o in spec.obs.items() if o.kind in ("image", "entities")]
        if odd:
            raise ConfigError(
                f"only vectors can be compared number by number, and here are {', '.join(odd)}: "
                "leave this signal out, or give it an observation of numbers"
            )
        self._vectors, self._done = Vectors(spec, normalize=True), done
        self.width = self._vectors.width + (dist.code_width if done else 0)
        self._executed = Executed(spec, dist)

    def observe(self, obs: Tree) -> None:
        """Measure deviations of these observations `[..., ...]` too."""
        self._vectors.observe(obs)

    def __call__(self, obs: Tree, code: NDArray[np.float32]) -> NDArray[np.float32]:
        """`[..., D]` an array of its own; `obs` and `code` `[..., ...]`."""
        seen = self._vectors(obs, code.shape[:-1])
        if not self._done:
            return seen
        return np.concatenate([seen, self._executed(code)], -1, dtype=F32)

    def state_dict(self) -> dict[str, object]:
        """What was measured."""
        normalizer = self._vectors.normalizer
        return {} if normalizer is None else normalizer.state_dict()

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take it over."""
        if self._vectors.normalizer is not None:
            self._vectors.normalizer.load_state_dict(state)
