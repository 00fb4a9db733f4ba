"""What other layouts have no place for."""

from __future__ import annotations

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
            ("infos of episodes", bool(set(episode.info) - {"subsets"})),
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
    if demos.provenance.env_id:
        lost.add("the environment's id")
    return lost


def left_out_beside_steps(episode: Episode) -> set[str]:
    """What a layout loses that has steps and nothing else of an episode, in words."""
    return left_out(episode) | ({"seeds of resets"} if episode.seed is not None else set())


def kept_seed(episode: Episode, lost: set[str]) -> int | None:
    """The seed of an episode if it fits into 63 bits; if not, `lost` says so."""
    if episode.seed is not None and not 0 <= episode.seed < 1 << 63:
        lost.add("seeds of resets beyond 63 bits")
        return None
    return episode.seed
