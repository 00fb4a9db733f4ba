"""`ExpertDataset` of Stable-Baselines 2: expert trajectories, divided and served in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from understudy.data.arrays import from_arrays
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.spec import Spec
from understudy.errors import ConfigError, DemoError, MissingExtraError

KEYS = ("actions", "obs", "rewards", "episode_starts")
Split = Literal["train", "val"]


class ExpertDataset:
    """Expert trajectories with the names that users of Stable-Baselines 2 know.

    `traj_limitation=n` keeps n episodes (there, n + 1 could be left); whole episodes are held out
    (there, single steps, whose neighbors were learned from); observations keep their shape (there,
    they were flattened); no process is started.

    Attributes:
        demos: The episodes that are kept.
        observations: `[N, ...]` what was seen before every action.
        actions: `[N, ...]` what was done: numbers, or choices `[N, K]`.
        returns: `[E]` of every episode.
        num_traj: How many episodes.
        num_transition: How many steps.
        avg_ret: Mean of the returns.
        std_ret: Their standard deviation.
    """

    def __init__(
        self,
        expert_path: str | Path | None = None,
        traj_data: Mapping[str, NDArray[Any]] | None = None,
        train_fraction: float = 0.7,
        batch_size: int = 64,
        traj_limitation: int = -1,
        randomize: bool = True,
        verbose: int = 1,
        *,
        ends: End | str | None = None,
        seed: int = 0,
    ) -> None:
        """Load expert trajectories.

        Args:
            expert_path: Anything that `load_demos` reads.
            traj_data: Instead, the arrays that `generate_expert_traj` returns.
            train_fraction: Share of the episodes in the split `train`, in (0, 1]; one at least.
            batch_size: Steps in a batch.
            traj_limitation: How many episodes to keep, the first ones; -1 for all.
            randomize: Draw batches in random order, else in the order of the file.
            verbose: 1 prints what was loaded.
            ends: How all episodes ended, `terminated` (the task was over) or `truncated` (a time
                limit), where the file does not say: their files do not, and GAIL needs to know.
            seed: Of the order and the split.

        Raises:
            ConfigError: An argument is out of range, or both or none of the sources are given.
            DemoError: The trajectories cannot be read.
        """
        if (expert_path is None) == (traj_data is None):
            raise ConfigError("expert_path, traj_data: expected exactly one of the two")
        if not 0 < train_fraction <= 1:
            raise ConfigError(f"train_fraction={train_fraction}: expected a share in (0, 1]")
        if batch_size < 1:
            raise ConfigError(f"batch_size={batch_size}: expected at least 1")
        if traj_limitation != -1 and traj_limitation < 1:
            raise ConfigError(f"traj_limitation={traj_limitation}: expected -1 or a count")
        if ends is not None and ends not in tuple(End):
            raise ConfigError(f"ends={ends!r}: expected one of {', '.join(End)}")
        self._path, self._data, self._limit = expert_path, traj_data, traj_limitation
        self._ends = None if ends is None else End(ends)
        self.batch_size, self.randomize = batch_size, randomize
        self._rng = np.random.default_rng(seed)
        self.demos = self.fitted(None)
        self.returns = self.demos.returns
        self.num_traj, self.num_transition = len(self.demos), self.demos.num_steps
        self.avg_ret, self.std_ret = float(self.returns.mean()), float(self.returns.std())
        name = next(iter(self.demos.spec.obs))
        self.observations = np.concatenate([e.obs[name][:-1] for e in self.demos])
        self.actions = np.concatenate([_done(e.action) for e in self.demos])
        self._rows = self._divided(train_fraction)
        self._order: dict[Split | None, Iterator[NDArray[np.int64]]] = {}
        if verbose:
            self.log_info()

    def fitted(self, spec: Spec | None) -> Demos:
        """The episodes that are kept, as values of what an environment sees and does.

        Raises:
            DemoError: They do not fit it.
        """
        if self._data is not None:
            demos = _from_data(self._data, spec)
        else:
            from understudy.data.formats.door import load_demos

            assert self._path is not None, "one of the two was given"
            demos = load_demos(self._path, spec=spec)
        if len(demos.spec.obs) != 1 or (
            demos.spec.action.continuous and demos.spec.action.branches
        ):
            raise DemoError(
                f"{demos.spec.describe()}; ExpertDataset has one array of observations and one of "
                "actions: give the demonstrations to the preset directly"
            )
        count = len(demos) if self._limit == -1 else min(self._limit, len(demos))
        return replace(demos, episodes=[self._ended(demos.episodes[i]) for i in range(count)])

    def _ended(self, episode: Episode) -> Episode:
        if self._ends is None or episode.end is not End.UNKNOWN:
            return episode
        return replace(episode, end=self._ends)

    def get_next_batch(self, split: Split | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """The next batch `[n, ...]` of observations and of actions, `n` at most the batch size.

        Every step comes once before any comes again.

        Args:
            split: `train`, `val`, or None for all.

        Raises:
            DemoError: Nothing is held out.
        """
        if split not in (None, "train", "val"):
            raise ConfigError(f"split={split!r}: expected train, val or None")
        if split not in self._order:
            self._order[split] = self._batches(self._rows[split])
        rows = next(self._order[split])
        return self.observations[rows], self.actions[rows]

    def log_info(self) -> None:
        """Print what was loaded."""
        print(f"{self.num_traj} episodes, {self.num_transition} steps")
        print(f"return {self.avg_ret:.4g} on average, standard deviation {self.std_ret:.4g}")

    def plot(self, path: str | Path | None = None) -> None:
        """A histogram of the returns: into a file, or into a window where there is none.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise MissingExtraError("a histogram", "plots") from None
        figure, axes = plt.subplots()
        axes.hist(self.returns)
        axes.set_xlabel("return")
        axes.set_ylabel("episodes")
        if path is None:
            plt.show()
        else:
            figure.savefig(path)
        plt.close(figure)

    def _divided(self, fraction: float) -> dict[Split | None, NDArray[np.int64]]:
        episodes = (
            self._rng.permutation(self.num_traj) if self.randomize else np.arange(self.num_traj)
        )
        kept = max(1, round(fraction * self.num_traj))
        if fraction < 1 and self.num_traj > 1:
            kept = min(kept, self.num_traj - 1)
        which = np.repeat(np.arange(self.num_traj), self.demos.lengths)
        learned = np.isin(which, episodes[:kept])
        everything = np.arange(self.num_transition)
        return {None: everything, "train": everything[learned], "val": everything[~learned]}

    def _batches(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        if not len(rows):
            raise DemoError("nothing is held out: give more episodes, or a smaller train_fraction")
        while True:
            order = self._rng.permutation(rows) if self.randomize else rows
            for start in range(0, len(order), self.batch_size):
                yield order[start : start + self.batch_size]


def _done(action: Any) -> NDArray[Any]:
    return action.continuous if action.continuous.shape[1] else action.discrete


def _from_data(data: Mapping[str, NDArray[Any]], spec: Spec | None) -> Demos:
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise DemoError(f"traj_data: {', '.join(missing)} missing; expected {', '.join(KEYS)}")
    if np.asarray(data["obs"]).dtype.kind in "US":
        raise DemoError("traj_data: obs names files of pictures; give expert_path instead")
    cuts = np.flatnonzero(np.asarray(data["episode_starts"]).reshape(-1))[1:]
    arrays = {key: np.asarray(data[key]) for key in ("obs", "actions", "rewards")}
    parts = {key: np.split(array, cuts) for key, array in arrays.items()}
    rewards = [rows.reshape(-1) for rows in parts["rewards"]]
    ends = [str(word) for word in data.get("episode_ends", [End.UNKNOWN] * len(rewards))]
    return from_arrays(parts["obs"], parts["actions"], rewards, ends, spec=spec)
