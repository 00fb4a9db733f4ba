"""Files that keep every episode in arrays of its own: each as an episode of ours.

Minari, robomimic and d3rlpy do so. The first episode says what all of them see and do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode, Tree, check_episode
from understudy.data.formats.deferred import episodes_of
from understudy.data.formats.leaves import Meaning, meaning_of
from understudy.data.formats.refusal import MOST_EPISODES, label, refusal, too_many_episodes
from understudy.data.formats.store import Shaped, Store
from understudy.data.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Where one episode lies.

    Attributes:
        obs: The name of every array of observations, and its path: `[T+1, ...]`, or `[T, ...]`
            where the last one is elsewhere or missing.
        final_obs: The same for arrays `[T, ...]` whose last row is the last observation.
        action: The same for actions, `[T, ...]`.
        reward: The path of the rewards `[T]`, None if there are none.
        label: What people call it; empty for the file's name and a number.
    """

    obs: Mapping[str, str]
    final_obs: Mapping[str, str] = field(default_factory=dict[str, str])
    action: Mapping[str, str]
    reward: str | None
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a file says of an episode beside its arrays."""

    end: End
    seed: int | None = None
    info: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """A file of episodes.

    Attributes:
        file: The open file.
        lengths: `[E]` steps of every episode.
        part: Where an episode lies.
        said: What is said of an episode.
        fetch: Reads all rows of an array of observations.
        shape: Shape and dtype of what `fetch` reads.
    """

    file: Store
    lengths: NDArray[np.int64]
    part: Callable[[int], Part]
    said: Callable[[int], Said]
    fetch: Callable[[str], NDArray[Any]]
    shape: Callable[[str], Shaped]


def lengths_of(file: Store, rows: Iterable[str], count: int) -> NDArray[np.int64]:
    """`[E]` the lengths of these arrays.

    Raises:
        DemoError: There are too many.
    """
    if count > MOST_EPISODES:
        raise too_many_episodes(file.path, count)
    return np.fromiter((file.num_rows(path) for path in rows), np.int64, count)


def read_grouped(grouped: Grouped, spec: Spec | None, provenance: Provenance) -> Demos:
    """The episodes of a file that keeps each in arrays of its own.

    Args:
        grouped: Where they lie.
        spec: What is seen and done; None to find out from the first episode and all actions.
        provenance: Where they came from; notes are added.

    Raises:
        DemoError: Arrays are damaged, do not fit each other, or are not what the spec says.
    """
    file = grouped.file
    if not len(grouped.lengths):
        raise refusal(file.path, None, "no episode", "demonstrations")
    first = grouped.part(0)
    meaning = meaning_of(
        file,
        {name: grouped.shape(path) for name, path in first.obs.items()},
        {name: file.shaped(path) for name, path in first.action.items()},
        lambda: (_actions(file, grouped.part(i)) for i in range(len(grouped.lengths))),
        spec,
    )

    def return_of(index: int) -> float:
        reward = _reward(file, grouped.part(index).reward, int(grouped.lengths[index]))
        return float("nan") if reward is None else float(reward.sum(dtype=np.float64))

    def read(index: int) -> Episode:
        return _episode(grouped, meaning, index)

    episodes = episodes_of(file, meaning.spec, grouped.lengths, read, return_of)
    notes = (*meaning.notes, *provenance.notes)
    if not episodes[0].final_obs_known:
        notes += ("the last observation of every episode is missing",)
    return Demos(meaning.spec, episodes, replace(provenance, notes=notes))


def _episode(grouped: Grouped, meaning: Meaning, index: int) -> Episode:
    file, part, said = grouped.file, grouped.part(index), grouped.said(index)
    steps = int(grouped.lengths[index])
    name = part.label or label(file.path, index)
    seen: Tree = {}
    known = True
    for key, path in part.obs.items():
        rows = grouped.fetch(path)
        if len(rows) == steps and steps:
            known = key in part.final_obs
            last = grouped.fetch(part.final_obs[key])[-1:] if known else rows[-1:]
            if last.shape[1:] != rows.shape[1:] or last.dtype != rows.dtype:
                raise file.refusal(part.final_obs[key], "is of another shape", "that of obs")
            rows = np.concatenate([rows, last])
        if len(rows) != steps + 1:
            found = f"has {len(rows)} rows"
            raise file.refusal(path, found, f"{steps + 1} or {steps}, for {steps} actions")
        seen[key] = rows
    action = _actions(file, part)
    for key, rows in action.items():
        if len(rows) != steps:
            raise file.refusal(part.action[key], f"has {len(rows)} rows", f"{steps}")
    episode = Episode(
        obs=meaning.obs(seen),
        action=meaning.action(action),
        reward=_reward(file, part.reward, steps),
        end=said.end,
        final_obs_known=known,
        acted_by=np.zeros(steps, np.uint8),
        seed=said.seed,
        label=name,
        info=said.info,
    )
    return check_episode(episode, meaning.spec, name)


def _actions(file: Store, part: Part) -> Tree:
    return {name: file.array(path) for name, path in part.action.items()}


def _reward(file: Store, path: str | None, steps: int) -> NDArray[Any] | None:
    if path is None:
        return None
    rows = file.array(path, kinds="iuf")
    if rows.size != steps or len(rows) != steps:
        raise file.refusal(path, f"has the shape {list(rows.shape)}", f"{steps} rewards")
    rows = rows.reshape(steps)
    # Not a number throughout: the layout demands rewards, and there were none.
    return None if rows.dtype.kind == "f" and steps and np.isnan(rows).all() else rows
