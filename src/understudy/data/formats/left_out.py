"""What other layouts have no place for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from understudy.data.demos import Demos
from understudy.data.episode import Episode, check_episode
from understudy.data.spec import Spec
from understudy.errors import DemoError


def left_out(episode: Episode) -> set[str]:
    """What an episode has that no other layout keeps, in words."""
    return {
        what
        for what, there in (
            ("proposed actions", episode.proposed is not None),
            ("who acted", bool(episode.acted_by.any())),
            ("agents, groups and teams", bool(episode.agent or episode.group or episode.team)),
            ("tags", bool(episode.tags)),
            ("infos of episodes", bool(episode.info)),
        )
        if there
    }


def check_steps(episode: Episode, spec: Spec, name: str) -> None:
    """Makes certain that an episode fits the spec, and that something was done in it.

    Raises:
        DemoError: It does not, or no other layout has a place for it.
    """
    name = episode.label or name
    check_episode(episode, spec, name)
    if not len(episode):
        raise DemoError(f"{name}: an episode without steps, for which the layout has no place")


def left_out_beside_spec(demos: Demos) -> set[str]:
    """What a layout loses that has arrays and nothing else, in words: what arrays do not say."""
    action = demos.spec.action
    lost: set[str] = set()
    if np.isfinite([*action.low, *action.high]).any():
        lost.add("bounds of the actions")
    if action.branches:
        lost.add("how many choices there are (give spec= when it is read again)")
    if any(obs.goal or obs.kind in ("entities", "mask") for obs in demos.spec.obs.values()):
        lost.add("which observations are lists, masks or goals (give spec= when it is read again)")
    if _codes(demos.spec):
        lost.add("which numbers are choices, and their first (give spec= when it is read again)")
    if demos.provenance.env_id:
        lost.add("the environment's id")
    return lost


def _codes(spec: Spec) -> bool:
    """Whether values of the spaces look like numbers and are choices, of things seen or from 1."""
    if spec.observation_space is None or spec.action_space is None:
        return False
    from understudy.data.spaces import space_from_json

    seen, done = map(space_from_json, (spec.observation_space, spec.action_space))
    return any(_is_choice(part) for part in _parts(seen)) or any(
        _is_choice(part) and np.any(part.start) for part in _parts(done)
    )


def _is_choice(space: Any) -> bool:
    from gymnasium import spaces

    return isinstance(space, spaces.Discrete | spaces.MultiDiscrete)


def _parts(space: Any) -> Iterator[Any]:
    """The spaces at the leaves of a nested one."""
    inner = getattr(space, "spaces", None)
    if inner is None:
        yield space
        return
    for part in inner.values() if isinstance(inner, Mapping) else inner:
        yield from _parts(part)


def left_out_beside_steps(episode: Episode) -> set[str]:
    """What a layout loses that has steps and nothing else of an episode, in words."""
    return left_out(episode) | ({"seeds of resets"} if episode.seed is not None else set())


def kept_seed(episode: Episode, lost: set[str]) -> int | None:
    """The seed of an episode if it fits into 63 bits; if not, `lost` says so."""
    if episode.seed is not None and not 0 <= episode.seed < 1 << 63:
        lost.add("seeds of resets beyond 63 bits")
        return None
    return episode.seed
