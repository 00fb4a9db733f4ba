"""How far an environment reproduced recordings, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from made_up import CHOICES, make_episode
from understudy.data.episode import End, Episode
from understudy.envs.retrace import Difference, Retraced
from understudy.report.retraced import retraced_lines

EPISODE = make_episode(CHOICES, 9, np.random.default_rng(0))


def came(first: Difference | None, steps: int = 9, **farthest: float) -> Retraced:
    return Retraced(steps, first, farthest or {"obs": 0.0, "reward": 0.0}, float(steps))


def row(back: Retraced | None, episode: Episode = EPISODE) -> list[str]:
    """The cells of the one line."""
    head, line, _, _ = retraced_lines([(3, episode, back)], 1e-5)
    places = [head.index(word) for word in ("episode", "steps", "return", "again", "same until")]
    places += [head.index(word) for word in ("then differs", "by", "farthest")]
    return [line[a:b].strip() for a, b in zip(places, [*places[1:], None], strict=True)]


def test_every_way_in_which_a_recording_is_left_has_its_words() -> None:
    cells = {
        "same": row(came(None)),
        "moved": row(came(Difference(4, "obs", 0.25), obs=2.5, reward=0.0)),
        "reset": row(came(Difference(0, "obs", 1.0), obs=1.0)),
        "early": row(came(Difference(5, "end", float("nan")), 5)),
        "late": row(came(Difference(9, "end", float("nan")))),
        "over": row(came(Difference(9, "end", float("nan"))), replace(EPISODE, end=End.TRUNCATED)),
        "seedless": row(None),
    }
    assert cells == {
        "same": ["3", "9", "9.00", "9.00", "the end", "", "", "0"],
        "moved": ["3", "9", "9.00", "9.00", "step 3", "obs", "0.25", "2.5 (obs)"],
        "reset": ["3", "9", "9.00", "9.00", "nothing", "obs", "1", "1 (obs)"],
        "early": ["3", "9", "9.00", "5.00", "step 5", "it ends here", "", "0"],
        "late": ["3", "9", "9.00", "9.00", "step 9", "it goes on", "", "0"],
        "over": ["3", "9", "9.00", "9.00", "step 9", "the task is over here", "", "0"],
        "seedless": ["3", "9", "9.00", "", "", "no seed was recorded", "", ""],
    }


def test_the_last_line_says_what_it_comes_to() -> None:
    moved, reset = came(Difference(4, "obs", 0.25)), came(Difference(0, "obs", 1.0))
    found = [(n, EPISODE, back) for n, back in enumerate((came(None), moved, None))]
    assert retraced_lines(found, 1e-5)[-1] == (
        "1 of 2 episodes come out as recorded, within 1e-05. "
        "The others differ from step 4 on (median)."
    )
    assert retraced_lines([(1, EPISODE, came(None))], 0.0)[-1].endswith("to the last bit.")
    assert "another version" in retraced_lines([(1, EPISODE, reset)], 0.0)[-1]
    assert retraced_lines([(1, EPISODE, None)], 0.0)[-1].startswith("No seed was recorded")
