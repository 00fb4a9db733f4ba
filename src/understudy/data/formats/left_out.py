"""What other layouts have no place for."""

from __future__ import annotations

from understudy.data.episode import Episode


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
