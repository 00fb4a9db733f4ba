"""Tables with a row for every step: where episodes begin and end, and each as an episode of ours.

CSV, Parquet and LeRobot are such tables. What ends an episode is a change in the column that counts
them, and a flag. Where the action of an episode's last row is missing, nothing was done on it: it
is what was seen at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End
from understudy.data.formats.blocks import Blocks, span
from understudy.data.formats.grouped import Grouped, Part, Said, read_grouped
from understudy.data.formats.refusal import MOST_EPISODES, label, refusal, too_many_episodes
from understudy.data.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A table of steps.

    Attributes:
        blocks: Its columns, as `span` names rows of them; a column of arrays has their names.
        obs: Our name of every observation, and its column.
        action: The same for actions.
        reward: The column of rewards; None if there are none.
        rewarded: `[N]` whether a row has a reward; None if all have.
        acted: `[N]` whether a row has an action.
        episode: `[N]` a number that changes where an episode begins; None if only flags tell.
        terminated: `[N]` flags; None if the table does not say.
        truncated: `[N]` the same.
        done: `[N]` the same.
        seed: `[N]` whole numbers; None if the table does not say.
    """

    blocks: Blocks
    obs: Mapping[str, str]
    action: Mapping[str, str]
    reward: str | None
    acted: NDArray[np.bool_]
    rewarded: NDArray[np.bool_] | None = None
    episode: NDArray[np.int64] | None = None
    terminated: NDArray[np.bool_] | None = None
    truncated: NDArray[np.bool_] | None = None
    done: NDArray[np.bool_] | None = None
    seed: NDArray[np.int64] | None = None


def read_steps(steps: Steps, spec: Spec | None, provenance: Provenance) -> Demos:
    """The episodes of a table of steps.

    Args:
        steps: The table.
        spec: What is seen and done; None to find out.
        provenance: Where they came from; notes are added.

    Raises:
        DemoError: Episodes cannot be told apart, or rows are not what the spec says.
    """
    path, blocks = steps.blocks.path, steps.blocks
    starts, stops = _cuts(steps)
    if len(starts) > MOST_EPISODES:
        raise too_many_episodes(path, len(starts))
    gap = ~steps.acted.copy()
    last = np.zeros(len(gap), bool)
    last[stops - 1] = True
    if (gap & ~last).any():
        row = int(np.flatnonzero(gap & ~last)[0])
        found = f"row {row} has no action, and is not the last of its episode"
        raise refusal(path, None, found, "an action in every row but the last of an episode")
    # Where the last row has an action, what was seen after it is missing.
    known = ~steps.acted[stops - 1] if len(stops) else np.zeros(0, bool)
    acted_stops = stops - known

    def part(index: int) -> Part:
        start, stop, done = int(starts[index]), int(stops[index]), int(acted_stops[index])
        rewarded = steps.rewarded is None or bool(steps.rewarded[start:done].any())
        reward = steps.reward if rewarded else None
        return Part(
            obs={name: span(start, stop, column) for name, column in steps.obs.items()},
            action={name: span(start, done, column) for name, column in steps.action.items()},
            reward=None if reward is None else span(start, done, reward),
            label=label(path, index),
        )

    def said(index: int) -> Said:
        start, row = int(starts[index]), int(acted_stops[index]) - 1
        seed = None if steps.seed is None else int(steps.seed[start])
        return Said(end=_end(steps, row), seed=None if seed is not None and seed < 0 else seed)

    grouped = Grouped(
        file=blocks, lengths=acted_stops - starts, part=part, said=said,
        fetch=blocks.array, shape=blocks.shaped,
    )  # fmt: skip
    return read_grouped(grouped, spec, provenance)


def _cuts(steps: Steps) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`[E]` where episodes begin, and where they end."""
    count = len(steps.acted)
    flags = [f for f in (steps.terminated, steps.truncated, steps.done) if f is not None]
    if not count:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    begins = np.zeros(count, bool)
    begins[0] = True
    if steps.episode is not None:
        changes = steps.episode[1:] != steps.episode[:-1]
        seen = steps.episode[np.flatnonzero(np.append(True, changes))]
        if len(np.unique(seen)) < len(seen):
            found = "an episode whose rows do not lie together"
            raise refusal(steps.blocks.path, None, found, "rows sorted by episode and step")
        begins[1:] |= changes
    elif flags:
        ended = np.logical_or.reduce(flags)
        # The row after an end is a beginning, unless nothing was done on it: then it still belongs
        # to the episode that ended.
        begins[1:] |= ended[:-1] & steps.acted[1:]
        begins[1:] |= ~steps.acted[:-1]
    else:
        found = "no column that tells episodes apart"
        expected = "one of episode, done, terminated or truncated; name it with columns="
        raise refusal(steps.blocks.path, None, found, expected)
    starts = np.flatnonzero(begins)
    return starts, np.append(starts[1:], count)


def _end(steps: Steps, row: int) -> End:
    if row < 0:
        return End.UNKNOWN
    for flags, end in ((steps.terminated, End.TERMINATED), (steps.truncated, End.TRUNCATED)):
        if flags is not None and flags[row]:
            return end
    if steps.done is not None:
        return End.UNKNOWN if steps.done[row] else End.OPEN
    return End.UNKNOWN if steps.terminated is None or steps.truncated is None else End.OPEN
