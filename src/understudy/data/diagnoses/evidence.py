"""What diagnoses are made of: facts of every episode that is looked at, and a sample of steps."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from understudy.data.catalog import Cataloged, numbers_of, success_of
from understudy.data.demos import Demos
from understudy.data.diagnoses.nearness import Nearness, nearness
from understudy.data.diagnoses.steps import Steps, pick_steps
from understudy.data.diagnoses.task import Task
from understudy.data.episode import End, Episode
from understudy.data.formats.alignment import InverseDynamics, inverse_dynamics
from understudy.data.spec import Spec
from understudy.errors import DemoError

MOST_BYTES = 1 << 30
"""Of observations that are read; of larger sets, episodes are drawn at random."""
MOST_STEPS = 20_000
"""Steps that are kept for everything that compares steps."""
ACTION = "continuous action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What is kept of one episode.

    Attributes:
        number: What it is called by, see `understudy.data.catalog`.
        length: Steps.
        return_: Sum of rewards, nan where there are none.
        end: How it ended.
        final_obs_known: Whether its last observation was recorded.
        success: Whether it did the task; None where nobody said.
        seed: The reset's seed, where known.
        print: A digest of everything that was seen and done.
        begins: A digest of what was seen first.
        rewards: Least, largest and last reward; None if there are none.
        bad_rewards: How many rewards are nan or infinite.
    """

    number: int
    length: int
    return_: float
    end: End
    final_obs_known: bool
    success: bool | None
    seed: int | None
    print: bytes
    begins: bytes
    rewards: tuple[float, float, float] | None
    bad_rewards: int


@dataclass(slots=True)
class Columns:
    """Range of every number of an array over all rows that were looked at.

    Attributes:
        least: `[F]` the smallest; nan is left out.
        most: `[F]` the largest.
        bad: `[F]` how many are nan or infinite.
        rows: How many rows.
        bad_episodes: Numbers of the episodes in which some are.
    """

    least: NDArray[np.float64]
    most: NDArray[np.float64]
    bad: NDArray[np.int64]
    rows: int = 0
    bad_episodes: list[int] = field(default_factory=list)

    @classmethod
    def empty(cls, width: int) -> Columns:
        """Nothing was looked at yet."""
        return cls(np.full(width, np.inf), np.full(width, -np.inf), np.zeros(width, np.int64))

    def see(self, array: NDArray[np.generic], number: int) -> None:
        """Look at the rows `[R, ...]` of an episode."""
        if not array.size:
            return
        rows = array.reshape(len(array), -1)
        self.rows += len(rows)
        least, most = rows.min(0).astype(np.float64), rows.max(0).astype(np.float64)
        # The least or the largest of numbers is nan or infinite wherever one of them is.
        if not (np.isfinite(least).all() and np.isfinite(most).all()):
            self.bad += (~np.isfinite(rows)).sum(0)
            self.bad_episodes.append(number)
            least, most = np.fmin.reduce(rows, 0), np.fmax.reduce(rows, 0)
        self.least, self.most = np.fmin(self.least, least), np.fmax(self.most, most)

    @property
    def constant(self) -> NDArray[np.int64]:
        """Which never change."""
        return np.flatnonzero((self.least == self.most) & (self.bad == 0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Everything that diagnoses look at.

    Attributes:
        demos: What is examined.
        task: What the environment says; None if it was not asked.
        installed: Name to version of what is installed here, of what the recording names.
        lives: Facts of the episodes that were looked at.
        unread: Number, and why it could not be read, of episodes that were refused.
        columns: By name of an observation's array, and `ACTION`, the range of its numbers.
        steps: A sample of steps.
        near: What the sample says of near situations; None if there are too few of them.
        dynamics: What two observations in a row say of the actions between them.
    """

    demos: Demos
    task: Task | None
    installed: Mapping[str, str]
    lives: tuple[Life, ...]
    unread: tuple[tuple[int, str], ...]
    columns: Mapping[str, Columns]
    steps: Steps
    near: Nearness | None
    dynamics: InverseDynamics | None

    @property
    def spec(self) -> Spec:
        """What was seen and done."""
        return self.demos.spec

    @property
    def limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`[C]` bounds of the continuous actions: the environment's where it was asked."""
        mine = self.spec.action
        theirs = mine if self.task is None else self.task.spec.action
        chosen = theirs if theirs.continuous == mine.continuous else mine
        return np.array(chosen.low), np.array(chosen.high)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`[E]` steps of the episodes that were looked at."""
        return np.array([life.length for life in self.lives], np.int64)

    @property
    def returns(self) -> NDArray[np.float64]:
        """`[E]` their returns, nan where there are no rewards."""
        return np.array([life.return_ for life in self.lives], np.float64)


def gather(
    demos: Demos,
    *,
    task: Task | None = None,
    installed: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Evidence:
    """Look at demonstrations: every episode once, or as many at random as `MOST_BYTES` hold.

    Args:
        demos: The demonstrations; episodes that cannot be read are noted and left out.
        task: What the environment says.
        installed: Name to version of what is installed here.
        seed: Of every drawing.
    """
    rng = np.random.default_rng(seed)
    fields = demos.spec.fields
    columns = {name: Columns.empty(math.prod(f.shape)) for name, f in fields.items()}
    columns[ACTION] = Columns.empty(demos.spec.action.continuous)
    lives: list[Life] = []
    unread: list[tuple[int, str]] = []
    parts: list[Steps] = []
    numbers, lengths = numbers_of(demos), demos.lengths
    places = _affordable(demos, lengths, rng)
    share = min(1.0, MOST_STEPS / max(1, int(lengths[places].sum())))
    for place in places.tolist():
        try:
            episode = demos.episodes[place]
        except DemoError as error:
            unread.append((numbers[place], str(error)))
            continue
        _see(columns, episode, numbers[place])
        picked = pick_steps(demos.spec, episode, len(lives), share, rng)
        if picked is not None:
            parts.append(picked)
        lives.append(_life(numbers[place], episode))
    steps = Steps.join(parts, demos.spec)
    finite = not any(c.bad.any() for c in columns.values())
    sound = finite and not unread and len(lives) > 0
    return Evidence(
        demos=demos,
        task=task,
        installed=installed or {},
        lives=tuple(lives),
        unread=tuple(unread),
        columns=columns,
        steps=steps,
        near=nearness(steps, rng) if finite else None,
        dynamics=inverse_dynamics(demos, seed=seed) if sound else None,
    )


def _affordable(
    demos: Demos, lengths: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """`[E]` places of the episodes to look at, in order; at least one if there is one."""
    row = sum(math.prod(f.shape) * f.dtype.itemsize for f in demos.spec.fields.values()) + 1
    if (lengths + 1).sum() * row <= MOST_BYTES:
        return np.arange(len(lengths))
    order = rng.permutation(len(lengths))
    fitting = max(1, int((np.cumsum((lengths[order] + 1) * row) <= MOST_BYTES).sum()))
    return np.sort(order[:fitting])


def _see(columns: Mapping[str, Columns], episode: Episode, number: int) -> None:
    seen = len(episode) + episode.final_obs_known
    for name, array in episode.obs.items():
        columns[name].see(array[:seen], number)
    columns[ACTION].see(episode.meant.continuous, number)


def _life(number: int, episode: Episode) -> Life:
    digest = hashlib.blake2b(digest_size=16)
    for array in (*episode.obs.values(), *episode.action):
        digest.update(np.ascontiguousarray(array).data)
    first = hashlib.blake2b(digest_size=16)
    for array in episode.obs.values():
        first.update(np.ascontiguousarray(array[:1]).data)
    rewards, bad = None, 0
    if episode.reward is not None and len(episode):
        x = episode.reward.astype(np.float64)
        rewards = (float(x.min()), float(x.max()), float(x[-1]))
        bad = int((~np.isfinite(x)).sum())
    return Life(
        number=number,
        length=len(episode),
        return_=episode.return_,
        end=episode.end,
        final_obs_known=episode.final_obs_known,
        success=success_of(episode.info, episode.tags),
        seed=episode.seed,
        print=digest.digest(),
        begins=first.digest(),
        rewards=rewards,
        bad_rewards=bad,
    )


def listed(numbers: Sequence[object], most: int = 8) -> str:
    """Such as `3, 5, 9 and 4 more`."""
    words = ", ".join(map(str, numbers[:most]))
    return words if len(numbers) <= most else f"{words} and {len(numbers) - most:,} more"


def leaving_out(e: Evidence, numbers: Sequence[int]) -> str:
    """The command that leaves these episodes out; FILE stands for what was read."""
    if isinstance(e.demos.episodes, Cataloged):
        return f"demos delete FILE --episodes {_words(numbers)}"
    # Others are counted from 0, the episodes of our files from 1.
    return (
        f"demos merge FILE -o OUT; demos delete OUT --episodes {_words([n + 1 for n in numbers])}"
    )


def _words(numbers: Sequence[int]) -> str:
    """As `--episodes` takes them."""
    return ",".join(map(str, numbers[:20])) + (",..." if len(numbers) > 20 else "")
