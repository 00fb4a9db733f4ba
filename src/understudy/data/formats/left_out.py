"""What other layouts have no place for."""

from __future__ import annotations

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
