"""What near situations say of actions: how well each kind of neighbor predicts what was done.

The action of a step is predicted from the steps that were most like it. Which steps may answer
(of other episodes, of the same one) and what they are asked for (what was done then, a step
earlier, a step later) makes the difference between the diagnoses. Neighbors rather than a fitted
model: they follow any rule, and the distance to them says how much there is to go by.

Everything is held out: a step is never predicted from itself, and where episodes are compared,
never from its own episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from understudy.data.action import Action
from understudy.data.diagnoses.steps import Steps

NEIGHBORS = 5
MOST_QUERIES, MOST_REFERENCES = 1_000, 6_000
MOST_FEATURES = 100
FEWEST_STEPS = 60
APART = 5
"""Steps of the same episode that are nearer in time than this say nothing of a situation."""
CLEAR = 3.0
"""Standard errors over episodes that make a difference more than chance."""
_CHUNK = 250


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearness:
    """How well actions are predicted, in shares of what guessing without any observation misses.

    A loss is 0 for a right prediction and 1, on average, for the best single guess: the mean of
    continuous actions, the commonest choice. Actions that never change are left out.

    Attributes:
        losses: By way of predicting, `[Q]`:
            `now`: as others did in the nearest situations of other episodes;
            `next`, `last`: the action a step later or earlier, from the same situations;
            `history`: as `now`, of situations in which the step before was alike as well;
            `held`: the same as was done a step before;
            `within`: as `now`, from the same episode; nan where nothing there is `APART` in time.
        episode: `[Q]` which episode a step is of.
        distance: `[Q]` to the nearest situation in another episode, in units of the distance that
            two situations drawn at random have (their median).
        own_distance: `[Q]` the same to the nearest one of its own episode, nan if there is none.
        conflict: `[Q]` how far the action is from that of the nearest situation in another
            episode: 1 is as far as that of two steps drawn at random.
    """

    losses: dict[str, NDArray[np.float64]]
    episode: NDArray[np.int64]
    distance: NDArray[np.float64]
    own_distance: NDArray[np.float64]
    conflict: NDArray[np.float64]

    def skill(self, way: str) -> float:
        """1 for always right, 0 for no better than the best single guess; nan if not tried."""
        known = self.losses[way][~np.isnan(self.losses[way])]
        return 1.0 - float(known.mean()) if len(known) else float("nan")

    def better(self, way: str, other: str) -> bool:
        """Whether one way beats another by more than chance, counting whole episodes."""
        # Cut: a few predictions that are wrong by far would make every mean uncertain.
        return clear(np.clip(self.losses[other] - self.losses[way], -1, 1), self.episode)


def clear(gain: NDArray[np.float64], episode: NDArray[np.int64]) -> bool:
    """Whether a gain `[Q]` is above 0 by more than `CLEAR` standard errors over episodes.

    Steps of one episode are alike, so episodes are what is counted, not steps. nan is left out.
    """
    known = ~np.isnan(gain)
    which, inverse = np.unique(episode[known], return_inverse=True)
    if len(which) < 3:
        return False
    sums = np.bincount(inverse, gain[known]) / np.bincount(inverse)
    error = sums.std(ddof=1) / np.sqrt(len(which))
    return bool(sums.mean() > CLEAR * error and sums.mean() > 0)


def nearness(steps: Steps, rng: np.random.Generator) -> Nearness | None:
    """What a sample of steps says of near situations.

    Args:
        steps: The sample, of finite numbers.
        rng: Draws the steps that are asked for, and those that answer.

    Returns:
        None if there are fewer than `FEWEST_STEPS` steps with one before and one after, a single
        episode, nothing that is seen changes, or always the same was done.
    """
    inner = np.flatnonzero(steps.inner)
    inner = np.sort(rng.permutation(inner)[:MOST_REFERENCES])
    if len(inner) < FEWEST_STEPS or len(np.unique(steps.episode[inner])) < 2:
        return None
    steps = steps.at(inner)
    codes = Codes(steps.action)
    seen = _mixed(steps.seen, steps.seen, rng)
    if not codes.width or not seen.shape[1]:
        return None
    asked = np.sort(rng.permutation(len(inner))[:MOST_QUERIES])
    # One thread: a second one that waits spins, and beside other work costs more than it brings.
    with threadpool_limits(1):
        return _nearness(steps, seen, codes, asked, rng)


def _nearness(
    steps: Steps,
    seen: NDArray[np.float64],
    codes: Codes,
    asked: NDArray[np.int64],
    rng: np.random.Generator,
) -> Nearness:
    others, distance = _nearest(seen, steps, asked, own=False)
    own, own_distance = _nearest(seen, steps, asked, own=True)
    before = _mixed(steps.before, steps.seen, rng)
    past = np.concatenate([seen, before, codes.of(steps.last)], axis=1)
    remembered, _ = _nearest(past, steps, asked, own=False)
    now, later, earlier = map(codes.of, (steps.action, steps.next, steps.last))
    pairs = rng.integers(len(seen), size=(2, 4 * len(asked)))
    unit = float(np.median(np.linalg.norm(seen[pairs[0]] - seen[pairs[1]], axis=1))) or 1.0
    chance = float(codes.apart(now[pairs[0]], now[pairs[1]]).mean()) or 1.0
    own_nearest = own_distance[:, 0] / unit
    within = codes.loss(now[asked], now[own].mean(1))
    within[np.isinf(own_distance).any(1)] = np.nan
    return Nearness(
        losses={
            "now": codes.loss(now[asked], now[others].mean(1)),
            "next": codes.loss(later[asked], later[others].mean(1)),
            "last": codes.loss(earlier[asked], earlier[others].mean(1)),
            "history": codes.loss(now[asked], now[remembered].mean(1)),
            "held": codes.loss(now[asked], earlier[asked]),
            "within": within,
        },
        episode=steps.episode[asked],
        distance=distance[:, 0] / unit,
        own_distance=np.where(np.isinf(own_nearest), np.nan, own_nearest),
        conflict=codes.apart(now[asked], now[others[:, 0]]) / chance,
    )


class Codes:
    """Actions as rows of numbers, those that change: standardized, then one-hot choices.

    Attributes:
        width: How many parts of an action change.
    """

    def __init__(self, action: Action) -> None:
        numbers = action.continuous.astype(np.float64)
        self._mean, spread = numbers.mean(0), numbers.std(0)
        self._changing = np.flatnonzero(spread > 1e-9 * (1 + np.abs(self._mean)))
        self._spread = spread
        self._choices = [(k, np.unique(x)) for k, x in enumerate(action.discrete.T)]
        self._choices = [(k, values) for k, values in self._choices if 1 < len(values) <= 1000]
        self.width = len(self._changing) + len(self._choices)
        # What the best single guess misses, of every part.
        self._missed = [1 - _largest_share(action.discrete[:, k]) for k, _ in self._choices]

    def of(self, action: Action) -> NDArray[np.float64]:
        """`[n, A]`."""
        numbers = (action.continuous - self._mean) / np.where(self._spread > 0, self._spread, 1)
        hots = [action.discrete[:, k, None] == values for k, values in self._choices]
        return np.concatenate([numbers[:, self._changing], *hots], axis=1)

    def loss(self, true: NDArray[np.float64], guess: NDArray[np.float64]) -> NDArray[np.float64]:
        """`[n]` squared error in variances, and wrong choices per wrong best guess; their mean."""
        numbers = len(self._changing)
        out = [(true[:, :numbers] - guess[:, :numbers]) ** 2]
        for part, missed in zip(self._parts(), self._missed, strict=True):
            wrong = true[:, part].argmax(1) != guess[:, part].argmax(1)
            out.append(wrong[:, None] / missed)
        return np.concatenate(out, axis=1).mean(1)

    def apart(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """`[n]` mean over the parts of the squared difference; a different choice counts 2."""
        return ((a - b) ** 2).sum(1) / self.width

    def _parts(self) -> list[slice]:
        ends = np.cumsum([len(self._changing), *(len(values) for _, values in self._choices)])
        return [slice(a, b) for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def _largest_share(choices: NDArray[np.int64]) -> float:
    return float(np.unique(choices, return_counts=True)[1].max() / len(choices))


def _mixed(
    x: NDArray[np.float64], like: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Columns that change in `like`, by its mean and deviation; at most `MOST_FEATURES`."""
    mean, spread = like.mean(0), like.std(0)
    keep = spread > 1e-9 * (1 + np.abs(mean))
    x = np.clip((x[:, keep] - mean[keep]) / spread[keep], -8, 8)
    if x.shape[1] <= MOST_FEATURES:
        return x
    # Random mixtures keep distances (Johnson and Lindenstrauss 1984).
    return x @ (rng.normal(size=(x.shape[1], MOST_FEATURES)) / np.sqrt(MOST_FEATURES))


def _nearest(
    x: NDArray[np.float64], steps: Steps, asked: NDArray[np.int64], *, own: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """`[Q, k]` nearest rows of other episodes, or of the own one, and how far they are.

    Rows that may not answer are infinitely far.
    """
    squares = (x**2).sum(1)
    nearest = np.empty((len(asked), NEIGHBORS), np.int64)
    distance = np.empty((len(asked), NEIGHBORS))
    for start in range(0, len(asked), _CHUNK):
        rows = asked[start : start + _CHUNK]
        far = squares[rows, None] + squares - 2 * x[rows] @ x.T
        same = steps.episode[rows, None] == steps.episode
        if own:
            near_in_time = np.abs(steps.time[rows, None] - steps.time) < APART
            far[~same | near_in_time] = np.inf
        else:
            far[same] = np.inf
        best = np.argpartition(far, NEIGHBORS, axis=1)[:, :NEIGHBORS]
        apart = np.take_along_axis(far, best, 1)
        order = np.argsort(apart, axis=1, kind="stable")
        nearest[start : start + _CHUNK] = np.take_along_axis(best, order, 1)
        distance[start : start + _CHUNK] = np.take_along_axis(apart, order, 1)
    return nearest, np.sqrt(np.maximum(distance, 0))
