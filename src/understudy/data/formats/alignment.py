"""Do the actions of demonstrations explain what happened? A check of how they were paired.

What was done between two observations should be readable from the two. So the action of a step is
predicted from its observation and the next one, on held-out steps, and so are the actions one step
before and one or two after: if a neighbour's action is explained better, the pairing is wrong.
Physics may lag, so the action that counts is the last one before the fit drops.

How well a policy fits would not do as a check: what was done a moment ago is often easier to read
from an observation than what is done now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import Episode, Tree
from understudy.data.spec import Obs, Spec, present

SHIFTS = (-2, -1, 0, 1, 2)
FEWEST_STEPS = 30
MOST_STEPS = 10_000
MOST_FEATURES = 200
_FOLDS = 3
_PENALTIES = (1e-2, 1.0, 1e2)


@dataclass(frozen=True, slots=True, kw_only=True)
class InverseDynamics:
    """How well two observations in a row explain the action at each distance from the first.

    Attributes:
        scores: By distance in steps from the pairing that is used (0), on held-out steps: R2 for
            continuous actions, accuracy for choices, their mean for both.
        measure: `R2`, `accuracy` or `R2 and accuracy`.
        best: The last distance before the fit drops clearly; None if nothing is clear.
    """

    scores: dict[int, float]
    measure: str
    best: int | None

    @property
    def agrees(self) -> bool | None:
        """Whether the pairing that is used is the best one; None if the data cannot say."""
        return None if self.best is None else self.best == 0

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; `scores` by distance in words, such as `+1`."""
        return {
            "scores": {f"{shift:+d}": score for shift, score in self.scores.items()},
            "measure": self.measure,
            "best": self.best,
            "agrees": self.agrees,
            "says": self.describe(),
        }

    def describe(self) -> str:
        """One line for people."""
        if not self.scores:
            return "the actions cannot say how they were paired: too few steps, or always the same"
        table = ", ".join(f"{shift:+d}: {score:.3f}" for shift, score in self.scores.items())
        verdict = {
            None: "no distance stands out, so this cannot say which pairing is right",
            True: "the pairing in use explains what happened",
            False: f"WRONG PAIRING: the action at {self.best or 0:+d} explains what happened",
        }[self.agrees]
        return f"two observations in a row explain actions at {table} ({self.measure}); {verdict}"


def inverse_dynamics(demos: Demos, *, seed: int = 0) -> InverseDynamics:
    """How well the observations on both sides of a step explain its action and its neighbours'.

    A ridge regression on held-out thirds; a few hundredths of a second to two seconds.

    Args:
        demos: The demonstrations, as they were paired.
        seed: Of the choice of held-out steps.
    """
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    demos = _some(demos, rng)
    scores: dict[int, float] = {}
    # Numbers beyond what squares can hold have no score. One thread: a second one that waits spins,
    # and beside other work that costs many times what it brings.
    with np.errstate(all="ignore"), threadpool_limits(1):
        seen = _seen(demos, rng)
        for shift in SHIFTS:
            score = _score(demos, seen, shift, rng)
            if score is not None and math.isfinite(score):
                scores[shift] = score
    action = demos.spec.action
    names = ["R2"] * bool(action.continuous) + ["accuracy"] * bool(action.branches)
    best = _last_before_drop(scores, demos.num_steps)
    return InverseDynamics(scores=scores, measure=" and ".join(names), best=best)


def _last_before_drop(scores: dict[int, float], num_steps: int) -> int | None:
    # Of the distances that explain nearly as much as the best does, the last: an effect that
    # lingers shows at earlier ones too, and nothing can show before it is done. What is clear
    # depends on the number of steps: an accuracy over n of them is good to about 1 / sqrt(n).
    if len(scores) < len(SHIFTS):
        return None
    clear = max(0.05, 2 / math.sqrt(num_steps))
    top = max(scores.values())
    last = max(shift for shift, score in scores.items() if score >= top - clear / 2)
    after = scores.get(last + 1)
    return last if after is not None and top - after >= clear else None


def _some(demos: Demos, rng: np.random.Generator) -> Demos:
    """Episodes at random, cut where there are steps enough."""
    episodes: list[Episode] = []
    room = MOST_STEPS
    for index in rng.permutation(len(demos)).tolist():
        if room <= 0:
            break
        whole = demos.episodes[index]
        steps = min(len(whole), room)
        room -= steps
        obs = {name: array[: steps + 1] for name, array in whole.obs.items()}
        episodes.append(replace(whole, obs=obs, action=whole.action.at(slice(steps))))
    return Demos(demos.spec, episodes, demos.provenance)


def _seen(demos: Demos, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """`[T+1, F]` numbers for every episode, of at most `MOST_FEATURES`."""
    lists = [as_numbers(episode.obs, demos.spec) for episode in demos]
    width = lists[0].shape[1] if lists else 0
    if width <= MOST_FEATURES:
        return lists
    # Random mixtures keep distances (Johnson and Lindenstrauss 1984).
    mix = rng.normal(size=(width, MOST_FEATURES)) / np.sqrt(width)
    return [numbers @ mix for numbers in lists]


def as_numbers(obs: Tree, spec: Spec) -> NDArray[np.float64]:
    """`[R, F]` what the rows `[R, ...]` of an observation tree show, as numbers to compare.

    Images become thumbnails, entities their sum and count; masks say nothing of the world.
    """
    rows = len(next(iter(obs.values()), ()))
    out = [np.zeros((rows, 0))]
    for name, kind in spec.obs.items():
        array = obs[name]
        if kind.kind == "image":
            out.append(_thumbnails(array, kind))
        elif kind.kind == "entities":
            there = obs[present(name)][:, :, None]
            out.append((array * there).sum(axis=1, dtype=np.float64))
            out.append(there.sum(axis=1, dtype=np.float64))
        elif kind.kind == "vector":
            out.append(array.reshape(rows, -1).astype(np.float64))
    return np.concatenate(out, axis=1)


def _thumbnails(images: NDArray[Any], obs: Obs) -> NDArray[np.float64]:
    """Grey pictures of at most about 8 x 8, `[T+1, F]`."""
    if obs.channels_first:
        images = np.moveaxis(images, 1, -1)
    height, width = images.shape[1:3]
    rows, columns = (np.arange(0, n, max(1, -(-n // 8))) for n in (height, width))
    out = np.empty((len(images), len(rows), len(columns)))
    for t, image in enumerate(images):
        grey = image.mean(axis=2, dtype=np.float64)
        out[t] = np.add.reduceat(np.add.reduceat(grey, rows, axis=0), columns, axis=1)
    return out.reshape(len(images), -1)


def _score(
    demos: Demos, seen: list[NDArray[np.float64]], shift: int, rng: np.random.Generator
) -> float | None:
    before, after, continuous, discrete = [], [], [], []
    for episode, numbers in zip(demos, seen, strict=True):
        # Without the last step: an end may come before the action took effect, and its
        # observation may be missing or belong to the next start.
        steps = np.arange(max(0, -shift), min(len(episode) - 1, len(episode) - shift))
        before.append(numbers[steps])
        after.append(numbers[steps + 1])
        continuous.append(episode.action.continuous[steps + shift])
        discrete.append(episode.action.discrete[steps + shift])
    if sum(map(len, before)) < FEWEST_STEPS:
        return None
    keep = rng.permutation(sum(map(len, before)))
    x = _features(np.concatenate(before)[keep], np.concatenate(after)[keep])
    folds = np.array_split(np.arange(len(keep)), _FOLDS)
    scores = _r2(x, np.concatenate(continuous)[keep].astype(np.float64), folds)
    for branch in range(len(demos.spec.action.branches)):
        scores += _accuracy(x, np.concatenate(discrete)[keep, branch], folds)
    return float(np.mean(scores)) if scores else None


def _features(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.concatenate([before, after - before], axis=1)
    spread = x.std(axis=0)
    x = x[:, spread > 1e-9]
    x = np.clip((x - x.mean(axis=0)) / x.std(axis=0), -8, 8)
    return np.concatenate([np.ones((len(x), 1)), x], axis=1)


def _r2(
    x: NDArray[np.float64], actions: NDArray[np.float64], folds: list[NDArray[np.int64]]
) -> list[float]:
    spread = actions.std(axis=0)
    if not (spread > 1e-9).any():
        return []
    y = actions[:, spread > 1e-9]
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    return (1 - ((_held_out(x, y, folds) - y) ** 2).mean(axis=0)).tolist()


def _accuracy(
    x: NDArray[np.float64], choices: NDArray[np.int64], folds: list[NDArray[np.int64]]
) -> list[float]:
    kinds, index = np.unique(choices, return_inverse=True)
    if len(kinds) < 2 or len(kinds) > 1000:
        return []
    y = np.eye(len(kinds))[index]
    guess = (_held_out(x, y - y.mean(axis=0), folds) + y.mean(axis=0)).argmax(axis=1)
    return [float((guess == index).mean())]


def _held_out(
    x: NDArray[np.float64], y: NDArray[np.float64], folds: list[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """`y` as ridge regression on the other folds predicts it, at the best of a few penalties."""
    parts = [(x[f].T @ x[f], x[f].T @ y[f]) for f in folds]
    gram, cross = sum(g for g, _ in parts), sum(c for _, c in parts)
    guesses = np.empty((len(_PENALTIES), *y.shape))
    for fold, (g, c) in zip(folds, parts, strict=True):
        for i, penalty in enumerate(_PENALTIES):
            ridge = gram - g + penalty * np.eye(x.shape[1])
            guesses[i, fold] = x[fold] @ np.linalg.solve(ridge, cross - c)
    errors = ((guesses - y) ** 2).sum(axis=(1, 2))
    return guesses[int(errors.argmin())]
