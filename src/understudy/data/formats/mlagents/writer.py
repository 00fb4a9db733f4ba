"""Writing demonstrations of Unity ML-Agents (`.demo`).

By default as its recorder in Unity does: the action of a step stands in the record after it, the
first record of an episode has an action of zeros, and the metadata follow once more at the end. Its
trainer takes the action of the same record for the pair, from its own recordings too, and so learns
what was done one decision ago (see `reader`). With `alignment="same_record"` it learns what was
meant: the file is then like those that Unity converted by script in 2020.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.beside import beside
from understudy.data.formats.left_out import check_steps, left_out_beside_steps
from understudy.data.formats.mlagents import encode
from understudy.data.formats.mlagents.file import BRAIN_AT
from understudy.data.formats.mlagents.messages import Brain, Metadata
from understudy.data.formats.mlagents.reader import ALIGNMENTS
from understudy.data.formats.mlagents.sensors import changes, sensors_of
from understudy.data.formats.mlagents.table import LARGEST_REWARD, team_of
from understudy.data.spec import Spec
from understudy.errors import DemoError

LONGEST_NAME = 16
_KEPT = {"behavior", "id", "reward_before"}
_INT32 = range(-(1 << 31), 1 << 31)


def write(
    path: str | os.PathLike[str], demos: Demos, *, alignment: str = "next_record"
) -> tuple[str, ...]:
    """A new `.demo` file, which ML-Agents 1.0 and later loads; it appears whole or not at all.

    Args:
        path: The file; it must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.
        alignment: `next_record`, as Unity's recorder does, or `same_record`, for ML-Agents'
            trainer.

    Returns:
        What the format cannot hold and was left out, in words.

    Raises:
        DemoError: The file exists, an episode does not fit, a number does not fit 32 bits, or
            `same_record` is asked for of actions with both numbers and choices.
    """
    spec = demos.spec
    if alignment not in ALIGNMENTS[1:]:
        raise DemoError(f"alignment={alignment!r}: expected one of {', '.join(ALIGNMENTS[1:])}")
    old = alignment == "same_record"
    if old and spec.action.continuous and spec.action.branches:
        raise DemoError(
            "the fields of actions at their own record have no place for numbers and choices "
            "together; write them with alignment='next_record'"
        )
    with beside(Path(path)) as place, place.open("w+b") as file:
        writing = _Writing(spec, old=old)
        file.write(bytes(BRAIN_AT))
        first = True
        for index, episode in enumerate(demos):
            check_steps(episode, spec, f"episode {index}")
            if first:
                file.write(encode.delimited(encode.brain(_brain(demos, episode), old=old)))
                writing.behavior, first = _behavior(demos, episode), False
                if demos.provenance.env_id:
                    writing.lost.add("the environment's id, which names the behavior at most")
            for record in writing.records(episode):
                file.write(encode.delimited(record))
        if first:
            raise DemoError(f"{os.fspath(path)}: no episode, and so nothing to write")
        writing.finish(file, Path(path).stem)
    return tuple(sorted(writing.lost))


@dataclass(slots=True)
class _Writing:
    """What is counted while records are written."""

    spec: Spec
    old: bool
    behavior: str = ""
    lost: set[str] = field(default_factory=set[str])
    num_records: int = 0
    num_episodes: int = 0
    total: float = 0.0
    ended: bool = True
    last_id: int = 0

    def __post_init__(self) -> None:
        self.lost |= changes(self.spec)
        spec = self.spec.action
        if np.isfinite([*spec.low, *spec.high]).any():
            self.lost.add("bounds of the actions")
        if spec.continuous and spec.dtype != "float32":
            self.lost.add(f"dtype {spec.dtype} of the actions: ML-Agents has float32")

    def records(self, episode: Episode) -> Iterator[bytes]:
        """Every record of an episode: one more than it has steps."""
        self._note(episode)
        sensors, steps = sensors_of(self.spec), len(episode)
        action, rewards = self._action(episode), _rewards(episode)
        idle = Action.zeros(self.spec.action, 1).at(0)
        id, mask = self._id(episode), next(iter(self.spec.masks), None)
        for row in range(steps + 1):
            done = row == steps and episode.end is not End.OPEN
            info = encode.agent_info(
                (see(episode.obs, row) for see in sensors.values()),
                reward=float(rewards[row]),
                done=done,
                interrupted=done and episode.end is End.TRUNCATED,
                id=id,
                group=episode.group,
                forbidden=None if mask is None else ~episode.obs[mask][row],
            )
            taken = row if self.old else row - 1
            done_here = action.at(taken) if 0 <= taken < steps else idle
            yield encode.record(info, encode.action(*done_here, old=self.old))
        self.num_records += steps + 1
        self.total += float(rewards.sum(dtype=np.float64))
        self.ended, self.last_id = episode.end is not End.OPEN, id

    def finish(self, file: BinaryIO, name: str) -> None:
        """Write what the file says of itself, at its beginning and, as the recorder, at its end."""
        mean = float(np.clip(self.total / self.num_episodes, -LARGEST_REWARD, LARGEST_REWARD))
        meta = Metadata(1, _name(name), self.num_records, self.num_episodes, mean)
        data = encode.metadata(meta)
        # Counts of many digits leave less room for the name.
        while len(encode.delimited(data)) > BRAIN_AT:
            meta.name = meta.name[:-1]
            data = encode.metadata(meta)
        if not self.old:
            file.write(data)
        file.seek(0)
        file.write(encode.delimited(data))

    def _note(self, episode: Episode) -> None:
        kept = {name: x for name, x in episode.info.items() if name not in _KEPT}
        # Groups and teams have a place here, other than in most layouts.
        lost = left_out_beside_steps(replace(episode, info=kept, agent=0, group=0, team=0))
        if episode.info.get("behavior", self.behavior) != self.behavior:
            lost.add("names of behaviors: all of a file is one behavior's")
        if episode.group not in _INT32:
            raise DemoError(f"{episode.label}: group {episode.group} does not fit 32 bits")
        if episode.agent or episode.team != team_of(self.behavior):
            lost.add("agents and teams")
        if episode.reward is None:
            lost.add("that there are no rewards")
        elif episode.reward.dtype != np.float32:
            lost.add(f"dtype {episode.reward.dtype} of the rewards: ML-Agents has float32")
        if episode.end is End.UNKNOWN:
            lost.add("that nobody knows why episodes ended: they end by their task")
        if not episode.final_obs_known:
            lost.add("that last observations are missing")
        self.lost |= lost

    def _action(self, episode: Episode) -> Action:
        with np.errstate(over="ignore"):
            continuous = episode.action.continuous.astype(np.float32)
        if not np.isfinite(continuous).all():
            raise DemoError(f"{episode.label}: an action that 32 bits do not hold")
        return Action(continuous, episode.action.discrete)

    def _id(self, episode: Episode) -> int:
        """The episode's own id, or its number where that would not keep it apart."""
        self.num_episodes += 1
        given: Any = episode.info.get("id")
        good = type(given) is int and given in _INT32
        if good and (self.ended or (given and self.last_id and given != self.last_id)):
            return given
        return self.num_episodes if self.num_episodes != self.last_id else self.num_episodes + 1


def _rewards(episode: Episode) -> np.ndarray[Any, np.dtype[np.float32]]:
    """`[T+1]` what was received on arriving at every observation."""
    rewards = np.zeros(len(episode) + 1, np.float32)
    before: Any = episode.info.get("reward_before", 0.0)
    rewards[0] = before if isinstance(before, int | float) else 0.0
    with np.errstate(over="ignore"):
        if episode.reward is not None:
            rewards[1:] = episode.reward
    if not np.isfinite(rewards).all():
        raise DemoError(f"{episode.label}: a reward that 32 bits do not hold")
    return rewards


def _brain(demos: Demos, episode: Episode) -> Brain:
    action = demos.spec.action
    return Brain(_behavior(demos, episode), action.continuous, action.branches)


def _behavior(demos: Demos, episode: Episode) -> str:
    """The name of the behavior, which says the team too."""
    name = episode.info.get("behavior")
    if isinstance(name, str) and name and len(name) < 1000:
        return name
    plain = re.sub(r"[^A-Za-z0-9 _-]", "", demos.provenance.env_id or "") or "Understudy"
    return f"{plain}?team={episode.team}"


def _name(stem: str) -> str:
    # As Unity's recorder cuts it: what else is in a name would overwrite what follows.
    return re.sub(r"[^A-Za-z0-9 -]", "", stem)[:LONGEST_NAME] or "Demonstration"
