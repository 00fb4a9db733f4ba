"""Fewer steps of every demonstration, without forgetting how long it was and how it ended.

Neighboring steps tell nearly the same, so every 20th of them is a harder test of imitation than a
twentieth of the episodes (Ho and Ermon, 2016, appendix B, arXiv:1606.03476). What is kept is whole
steps - seen, done, seen next - and never observations alone: two of those that lie 20 apart would
look like one that followed the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.errors import DemoError

PART_OF = "part_of"
"""Where in `Episode.info` a part says which whole episode it was cut from."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An episode as it was before anything was cut from it.

    Attributes:
        steps: How many actions were taken in it.
        end: How it ended.
    """

    steps: int
    end: End


def subsample(demos: Demos, every: int, rng: np.random.Generator) -> Demos:
    """One step in `every` of each episode, beginning at a random one of the first `every`.

    Every kept step becomes an episode of one step that says in its `info` which whole episode it
    belongs to; `wholes` reads that. It ends as the whole one did if it is its last step, and is
    open otherwise. An episode of fewer than `every` steps keeps one step at least.

    Args:
        demos: Whole episodes.
        every: How many steps there are for one that is kept; 1 keeps all.
        rng: Draws where to begin.

    Raises:
        DemoError: `every` is below 1, or the episodes are parts already.
    """
    if every < 1:
        raise DemoError(f"every={every}: expected 1 or more steps for one that is kept")
    if any(PART_OF in episode.info for episode in demos):
        raise DemoError("these demonstrations have been sub-sampled already: start from the whole")
    if every == 1:
        return demos
    parts: list[Episode] = []
    for number, episode in enumerate(demos):
        steps = len(episode)
        if steps:
            first = int(rng.integers(min(every, steps)))
            part_of = {"id": _fingerprint(number, episode), "steps": steps, "end": str(episode.end)}
            parts += [_step(episode, t, part_of) for t in range(first, steps, every)]
    note = f"one step in {every} of {len(demos)} episodes"
    provenance = replace(demos.provenance, notes=(*demos.provenance.notes, note))
    return Demos(demos.spec, parts, provenance)


def wholes(demos: Demos) -> tuple[list[Whole], NDArray[np.int64]]:
    """The whole episodes, and which of them each episode of `demos` is, or is a part of.

    Raises:
        DemoError: What is said of a whole episode cannot be read.
    """
    found: list[Whole] = []
    numbers: dict[str, int] = {}
    which = np.zeros(len(demos), np.int64)
    for i, episode in enumerate(demos):
        part_of = episode.info.get(PART_OF)
        key = f"whole {i}" if part_of is None else str(part_of.get("id"))
        if key not in numbers:
            numbers[key] = len(found)
            found.append(_whole(episode, part_of))
        which[i] = numbers[key]
    return found, which


def _whole(episode: Episode, part_of: Any) -> Whole:
    if part_of is None:
        return Whole(len(episode), episode.end)
    try:
        return Whole(int(part_of["steps"]), End(part_of["end"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DemoError(
            f"{episode.label or 'episode'}: info['{PART_OF}'] is {part_of!r}, expected the id, "
            f"steps and end of a whole episode, as `subsample` writes them ({error})"
        ) from None


def _step(episode: Episode, t: int, part_of: dict[str, Any]) -> Episode:
    """The step `t` as an episode of its own."""
    last, here = t == len(episode) - 1, slice(t, t + 1)
    return replace(
        episode,
        obs={name: x[t : t + 2] for name, x in episode.obs.items()},
        action=episode.action.at(here),
        proposed=None if episode.proposed is None else episode.proposed.at(here),
        reward=None if episode.reward is None else episode.reward[here],
        end=episode.end if last else End.OPEN,
        final_obs_known=episode.final_obs_known or not last,
        acted_by=episode.acted_by[here],
        label=f"{episode.label}@{t}",
        info={**episode.info, PART_OF: part_of},
    )


def _fingerprint(number: int, episode: Episode) -> str:
    """One for every episode, also beside those of other recordings: parts may be joined."""
    told = hashlib.blake2b(f"{number} {episode.end}".encode(), digest_size=12)
    for x in (*episode.obs.values(), *episode.action):
        told.update(np.ascontiguousarray(x).tobytes())
    return told.hexdigest()
