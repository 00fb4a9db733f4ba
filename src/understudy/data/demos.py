"""Demonstrations: episodes of one spec and where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from understudy.data.action import Action
from understudy.data.episode import ActedBy, Episode, Tree
from understudy.data.spacious import room
from understudy.data.spec import Spec
from understudy.errors import DemoError


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where demonstrations came from.

    Attributes:
        format: The kind of file, such as `understudy` or `mlagents`.
        files: The files that were read.
        env_id: The environment's id, where known.
        versions: Name to version of what made them (environment, simulator, packages).
        actor: Who acted, in words, where known.
        alignment: How actions were paired with observations, where the format leaves a choice:
            `next_record` or `same_record`.
        reason: Why that alignment was chosen, in words.
        notes: What the reader should know: recovered steps, missing fields, unknown ends.
    """

    format: str
    files: tuple[str, ...] = ()
    env_id: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    actor: str | None = None
    alignment: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()


@runtime_checkable
class Counted(Protocol):
    """Episodes whose lengths and returns are known without reading them."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`[E]` steps of every episode."""
        ...

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[E]` sum of rewards of every episode, nan where there are none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Demos:
    """Episodes of one spec.

    Attributes:
        spec: What was seen and done.
        episodes: The episodes; may be read from disk when asked for.
        provenance: Where they came from.
    """

    spec: Spec
    episodes: Sequence[Episode]
    provenance: Provenance = field(default_factory=lambda: Provenance(format="memory"))

    def __len__(self) -> int:
        return len(self.episodes)

    def __iter__(self) -> Iterator[Episode]:
        return iter(self.episodes)

    @property
    def num_steps(self) -> int:
        """How many actions were shown."""
        return int(self.lengths.sum())

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`[E]` steps of every episode."""
        if isinstance(self.episodes, Counted):
            return self.episodes.lengths
        return np.array([len(e) for e in self.episodes], np.int64)

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[E]` sum of rewards of every episode, nan where there are none."""
        if isinstance(self.episodes, Counted):
            return self.episodes.returns
        return np.array([e.return_ for e in self.episodes], np.float64)

    def pick(self, indices: Sequence[int] | NDArray[np.int64]) -> Demos:
        """Only the episodes at these places; read from disk when asked for if these are."""
        return replace(self, episodes=_Picked(self, np.asarray(indices, np.int64)))

    def check_fit(self, spec: Spec) -> None:
        """Check that this is what is seen and done elsewhere.

        Args:
            spec: As an environment or a policy says it.

        Raises:
            DemoError: It is not; says what differs.
        """
        if difference := spec.difference(self.spec):
            raise DemoError(
                f"the demonstrations do not fit the environment: {difference} "
                "(here: the environment, there: the demonstrations)"
            )

    def best(self, fraction: float) -> Demos:
        """The best `fraction` of the episodes by return, at least one, in their old order.

        Raises:
            DemoError: Episodes have no rewards.
        """
        if not 0 < fraction <= 1:
            raise DemoError(f"best={fraction}: expected a share of the episodes in (0, 1]")
        if np.isnan(self.returns).any():
            raise DemoError("best: the demonstrations have no rewards to choose by")
        count = max(1, round(fraction * len(self)))
        return self.pick(np.sort(np.argsort(-self.returns, kind="stable")[:count]))

    def split(self, fraction: float, rng: np.random.Generator) -> tuple[Demos, Demos]:
        """Whole episodes at random: those to learn from, and `fraction` of them held out.

        With two episodes or more at least one is held out and at least one kept; with a single
        one the second set is empty.
        """
        count = len(self)
        held = min(max(1, round(fraction * count)), count - 1) if fraction > 0 else 0
        order = rng.permutation(count)
        return self.pick(np.sort(order[held:])), self.pick(np.sort(order[:held]))

    def rows(self) -> Rows:
        """All episodes one after the other, one row per observation."""
        return Rows.of(self)


class _Picked(Sequence[Episode]):
    """Some episodes of a set, in an order. See `Counted`."""

    def __init__(self, demos: Demos, places: NDArray[np.int64]) -> None:
        self._demos, self._places = demos, places

    @overload
    def __getitem__(self, index: int) -> Episode: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Episode]: ...

    def __getitem__(self, index: int | slice) -> Episode | Sequence[Episode]:
        if isinstance(index, slice):
            return _Picked(self._demos, self._places[index])
        return self._demos.episodes[int(self._places[index])]

    def __len__(self) -> int:
        return len(self._places)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return self._demos.lengths[self._places]

    @property
    def returns(self) -> NDArray[np.float64]:
        return self._demos.returns[self._places]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One row per observation: what was seen, and what was then done and received.

    The last observation of an episode has its own row, on which nothing was done. What was seen may
    lie on a disk, see `spacious.room`.

    Attributes:
        obs: Named arrays `[R, ...]`.
        action: `[R, ...]` what the demonstrator meant; zero where nothing was done.
        reward: `[R]` float32; zero where nothing was done or rewards are unknown.
        acted: `[R]` bool, whether something was done on this row.
        fresh: `[R]` bool, whether an episode begins here.
        episode: `[R]` int64, which episode.
        acted_by: `[R]` uint8, an `ActedBy` for every row; None if nobody knows.
    """

    obs: Tree
    action: Action
    reward: NDArray[np.float32]
    acted: NDArray[np.bool_]
    fresh: NDArray[np.bool_]
    episode: NDArray[np.int64]
    acted_by: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.acted)

    def seen(self, size: int = 2**20) -> Iterator[Tree]:
        """What was seen on rows on which something was done, so many rows at a time."""
        for start in range(0, len(self), size):
            block = slice(start, start + size)
            yield {name: x[block][self.acted[block]] for name, x in self.obs.items()}

    @property
    def labeled(self) -> Rows:
        """The same, `acted` only where a demonstrator said what to do; see `ActedBy.UNLABELED`."""
        if self.acted_by is None:
            return self
        return replace(self, acted=self.acted & (self.acted_by != ActedBy.UNLABELED))

    @classmethod
    def of(cls, demos: Demos) -> Rows:
        """The rows of all episodes.

        Raises:
            DemoError: There is no episode.
        """
        if not len(demos):
            raise DemoError("no episode: there is nothing to learn from")
        lengths = demos.lengths
        total, starts = int(lengths.sum()) + len(lengths), np.cumsum(lengths + 1) - lengths - 1
        fields = demos.spec.fields
        made = room([((total, *f.shape), f.dtype) for f in fields.values()])
        obs: Tree = dict(zip(fields, made, strict=True))
        action = Action.zeros(demos.spec.action, total)
        reward = np.zeros(total, np.float32)
        acted, fresh = np.ones(total, bool), np.zeros(total, bool)
        acted[starts + lengths], fresh[starts] = False, True
        acted_by = np.zeros(total, np.uint8)
        for start, episode in zip(starts.tolist(), demos, strict=True):
            end = start + len(episode)
            for name, array in obs.items():
                array[start : end + 1] = episode.obs[name]
            action.continuous[start:end] = episode.meant.continuous
            action.discrete[start:end] = episode.meant.discrete
            if episode.reward is not None:
                reward[start:end] = episode.reward
            acted_by[start:end] = episode.acted_by
        which = np.repeat(np.arange(len(lengths)), lengths + 1)
        return cls(obs, action, reward, acted, fresh, which, acted_by)


def join(demos: Sequence[Demos]) -> Demos:
    """Several sets as one.

    Raises:
        DemoError: There is none, or two of them see or do different things.
    """
    if not demos:
        raise DemoError("no demonstrations were given")
    first = demos[0]
    for other in demos[1:]:
        if difference := first.spec.difference(other.spec):
            raise DemoError(
                f"{_files(other)} does not fit {_files(first)}: {difference}; "
                "learn from them separately"
            )
    if len(demos) == 1:
        return first
    a = first.provenance
    return Demos(
        first.spec,
        [episode for d in demos for episode in d],
        Provenance(
            format=_same([d.provenance.format for d in demos]) or "several",
            files=tuple(file for d in demos for file in d.provenance.files),
            env_id=_same([d.provenance.env_id for d in demos]),
            versions=a.versions,
            actor=_same([d.provenance.actor for d in demos]),
            alignment=_same([d.provenance.alignment for d in demos]),
            reason=a.reason,
            notes=tuple(dict.fromkeys(note for d in demos for note in d.provenance.notes)),
        ),
    )


def _same(values: Sequence[Any]) -> Any:
    return values[0] if all(v == values[0] for v in values) else None


def _files(demos: Demos) -> str:
    return ", ".join(demos.provenance.files) or "demonstrations"
