"""All reward signals of a learner side by side, as one column each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, SupportsFloat

import numpy as np

from understudy.data.batch import Batch
from understudy.errors import NonFiniteError
from understudy.ops.arrays import Array, module_of
from understudy.rewards.signal import RewardSignal


class Signals(Mapping[str, RewardSignal]):
    """Signals by name, in a fixed order.

    Attributes:
        discount, strength: `[S]` float32, see `RewardSignal`.
        ends: `[S]` bool.
    """

    def __init__(self, signals: Mapping[str, RewardSignal]) -> None:
        """Args: signals: by name.

        Raises:
            ValueError: None of them counts.
        """
        self._signals = dict(signals)
        some = self._signals.values()
        self.discount = np.array([s.discount for s in some], np.float32)
        self.strength = np.array([s.strength for s in some], np.float32)
        self.ends = np.array([s.ends for s in some], bool)
        self._earned: dict[str, float] = {}
        if not self.strength.sum() > 0:
            raise ValueError("no reward signal has a strength above 0: there is nothing to seek")

    def __getitem__(self, name: str) -> RewardSignal:
        return self._signals[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._signals)

    def __len__(self) -> int:
        return len(self._signals)

    def reward(self, batch: Batch) -> Array:
        """`[L, B, S]` what every signal says of these rows.

        Raises:
            NonFiniteError: A number is not finite; names the signal.
        """
        said = [signal.reward(batch) for signal in self.values()]
        for name, reward in zip(self, said, strict=True):
            self._earned[name] = float(reward.mean())
            # The mean of finite numbers is finite, unless nobody can learn from them anyway.
            if not np.isfinite(self._earned[name]):
                good = module_of(reward).isfinite(reward).reshape(-1)
                raise NonFiniteError(
                    f"reward signal '{name}': {int((~good).sum())} of {len(good)} rewards are not "
                    "finite, and nothing was learned from them; look for what the environment "
                    "gives (understudy doctor), or for huge numbers in the demonstrations"
                )
        return module_of(said[0]).stack(said, -1)

    def update(self, batch: Batch) -> dict[str, SupportsFloat]:
        """Let all learn from these rows.

        Returns:
            Their figures as `name/figure`, and as `name/reward` what a row last earned on average.
        """
        earned = {f"{name}/reward": value for name, value in self._earned.items()}
        return earned | {
            f"{name}/{figure}": value
            for name, signal in self.items()
            for figure, value in signal.update(batch).items()
        }

    def state_dict(self) -> dict[str, Any]:
        """Of every signal."""
        return {name: signal.state_dict() for name, signal in self.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over that of every signal."""
        for name, signal in self.items():
            signal.load_state_dict(state[name])
