"""Transitions one after the other: where episodes begin and end, and each as an episode.

D4RL, DI-engine and Tianshou store every step of every episode as a row of one long array. An
episode ends where a flag says so, and where the next observation that is stored with a row is not
the observation of the row after it: there steps were left out, or an episode was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode, Tree, check_episode
from understudy.data.formats.deferred import episodes_of
from understudy.data.formats.hdf5 import Hdf5
from understudy.data.formats.leaves import Meaning, meaning_of
from understudy.data.formats.refusal import label
from understudy.data.formats.store import Store
from understudy.data.spec import Spec

_BLOCK_BYTES = 8 << 20


class Cut(IntEnum):
    """What comes after a row."""

    NOTHING = 0
    TERMINATED = 1
    TRUNCATED = 2
    UNKNOWN = 3
    OPEN = 4


_ENDS = {
    Cut.TERMINATED: End.TERMINATED,
    Cut.TRUNCATED: End.TRUNCATED,
    Cut.UNKNOWN: End.UNKNOWN,
    Cut.OPEN: End.OPEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """Where transitions lie in a file.

    Attributes:
        file: The open file.
        obs: Our names of the observations, each with the path of its array.
        next_obs: The same for the observations after a step; empty if there are none.
        action: The same for actions.
        reward: The path of the rewards, None if there are none.
        order: `[N]` the rows in the order in which they were lived.
        cuts: `[N]` uint8, a `Cut` for every row in that order.
    """

    file: Store
    obs: Mapping[str, str]
    next_obs: Mapping[str, str]
    action: Mapping[str, str]
    reward: str | None
    order: NDArray[np.int64]
    cuts: NDArray[np.uint8]


def paths_of(file: Hdf5, name: str) -> dict[str, str]:
    """The arrays at and under `name`: the name of each relative to it, and its path."""
    return {leaf: f"{name}/{leaf}" if leaf else name for leaf in file.leaves(name)}


def flags(file: Hdf5, name: str, count: int) -> NDArray[np.bool_]:
    """`[count]` the flags of an array `[count]` or `[count, 1]` of flags or numbers.

    Raises:
        DemoError: It is of another length.
    """
    values = file.array(name)
    if values.size != count:
        raise file.refusal(name, f"has the shape {list(values.shape)}", f"{count} flags")
    return values.reshape(-1) != 0


def read_flat(flat: Flat, spec: Spec | None, format: str, notes: tuple[str, ...]) -> Demos:
    """The episodes of a file of transitions.

    Args:
        flat: Where they lie.
        spec: What is seen and done; None to find out.
        format: For the provenance.
        notes: For the provenance.

    Raises:
        DemoError: Arrays are of different lengths, damaged, or not what the spec says.
    """
    file, count = flat.file, len(flat.order)
    _same_lengths(flat)
    meaning = meaning_of(
        file,
        {name: file.shaped(path) for name, path in flat.obs.items()},
        {name: file.shaped(path) for name, path in flat.action.items()},
        lambda: _pieces(flat, flat.action),
        spec,
    )
    cuts = flat.cuts.copy()
    gaps = _gaps(flat) if flat.next_obs else np.zeros(count, bool)
    gaps &= cuts == Cut.NOTHING
    cuts[gaps] = Cut.UNKNOWN
    if count and cuts[-1] == Cut.NOTHING:
        cuts[-1] = Cut.OPEN
    stops = np.flatnonzero(cuts) + 1
    starts = np.concatenate([np.zeros(1, np.int64), stops[:-1]])[: len(stops)]
    if gaps.any():
        notes += (
            f"at {int(gaps.sum())} places the next observation is not that of the row after it "
            "(steps are missing, or an episode was cut): episodes are cut there",
        )
    if not flat.next_obs:
        notes += ("the last observation of every episode is missing",)

    def read(index: int) -> Episode:
        start, stop = int(starts[index]), int(stops[index])
        end = _ENDS[Cut(int(cuts[stop - 1]))]
        return _episode(flat, meaning, index, flat.order[start:stop], end)

    def return_of(index: int) -> float:
        if flat.reward is None:
            return float("nan")
        rows = flat.order[int(starts[index]) : int(stops[index])]
        return float(_rows(file, flat.reward, rows).sum(dtype=np.float64))

    return Demos(
        meaning.spec,
        episodes_of(file, meaning.spec, stops - starts, read, return_of),
        Provenance(format=format, files=(str(file.path),), notes=(*meaning.notes, *notes)),
    )


def _episode(
    flat: Flat, meaning: Meaning, index: int, rows: NDArray[np.int64], end: End
) -> Episode:
    file, last = flat.file, rows[-1:]
    seen: Tree = {}
    for name, path in flat.obs.items():
        final = _rows(file, flat.next_obs.get(name, path), last)
        seen[name] = np.concatenate([_rows(file, path, rows), final])
    reward = None if flat.reward is None else _rows(file, flat.reward, rows).reshape(len(rows))
    name = label(file.path, index)
    episode = Episode(
        obs=meaning.obs(seen),
        action=meaning.action({key: _rows(file, path, rows) for key, path in flat.action.items()}),
        reward=reward,
        end=end,
        final_obs_known=bool(flat.next_obs),
        acted_by=np.zeros(len(rows), np.uint8),
        label=name,
    )
    return check_episode(episode, meaning.spec, name)


def _rows(file: Store, path: str, rows: NDArray[np.int64]) -> NDArray[np.generic]:
    """These rows of an array; they lie in a few runs, because a ring is cut only once."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    parts = [file.array(path, int(run[0]), int(run[-1]) + 1) for run in runs if len(run)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _same_lengths(flat: Flat) -> None:
    file = flat.file
    if flat.next_obs and set(flat.next_obs) != set(flat.obs):
        raise file.refusal("the next observations", "are others", f"{sorted(flat.obs)}")
    paths = [*flat.obs.values(), *flat.next_obs.values(), *flat.action.values()]
    least = int(flat.order.max(initial=-1)) + 1
    rows = {path: file.num_rows(path) for path in paths}
    if flat.reward is not None:
        shape = file.shaped(flat.reward, "iuf").shape
        if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
            raise file.refusal(flat.reward, f"has the shape {list(shape)}", "one for each step")
        rows[flat.reward] = shape[0]
    first = next(iter(rows.values()), 0)
    for path, count in rows.items():
        if count != first or count < least:
            raise file.refusal(path, f"has {count} rows", f"{max(first, least)} as the others")
    for name, path in flat.next_obs.items():
        here, there = file.shaped(path), file.shaped(flat.obs[name])
        if here != there:
            raise file.refusal(path, f"is {here.dtype} {list(here.shape)}", "that of obs")


def _pieces(flat: Flat, paths: Mapping[str, str]) -> Iterator[Tree]:
    for rows in _blocks(flat, paths):
        yield {name: _rows(flat.file, path, rows) for name, path in paths.items()}


def _blocks(flat: Flat, paths: Mapping[str, str]) -> Iterator[NDArray[np.int64]]:
    shapes = [flat.file.shaped(path) for path in paths.values()]
    width = sum(shaped.num_bytes // max(1, shaped.shape[0]) for shaped in shapes)
    step = max(1, _BLOCK_BYTES // max(1, width))
    for start in range(0, len(flat.order), step):
        yield flat.order[start : start + step]


def _gaps(flat: Flat) -> NDArray[np.bool_]:
    """`[N]` where the next observation is not that of the row after it."""
    out, at = np.zeros(len(flat.order), bool), 0
    last: dict[str, NDArray[np.generic]] = {}
    for rows in _blocks(flat, flat.obs):
        for name, path in flat.obs.items():
            obs = _rows(flat.file, path, rows).reshape(len(rows), -1)
            then = _rows(flat.file, flat.next_obs[name], rows).reshape(len(rows), -1)
            if name in last:
                out[at - 1] |= bool((last[name] != obs[0]).any())
            out[at : at + len(rows) - 1] |= (then[:-1] != obs[1:]).any(axis=1)
            last[name] = then[-1].copy()
        at += len(rows)
    return out
