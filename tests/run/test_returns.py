"""What the episodes of a run brought: the last, and the best."""

from __future__ import annotations

import pytest

from understudy.run.loop import Progress
from understudy.run.returns import LAST_EPISODES, Returns


class Source:
    def __init__(self):
        self.returns: list[float] = []


def told(turns):
    source, lines = Source(), []
    returns, progress = Returns(source, lines.append), Progress(100)
    for brought in turns:
        source.returns = brought
        progress.steps += 10
        returns.see(progress, {})
    return returns, lines


def test_the_best_moment_and_the_distance_from_it_are_kept():
    returns, lines = told([[10.0] * LAST_EPISODES, [50.0] * LAST_EPISODES, [20.0] * LAST_EPISODES])
    assert (returns.best, returns.best_step, returns.value) == (50, 20, 20)
    assert [line["return/below_best"] for line in lines] == [0, 0, 30]


def test_a_few_lucky_episodes_are_no_best_moment():
    returns, lines = told([[500.0] * (LAST_EPISODES - 1), [1.0] * LAST_EPISODES])
    assert returns.best == 1
    assert "return/below_best" not in lines[0]


def test_a_turn_in_which_no_episode_ended_says_nothing():
    returns, lines = told([[], [3.0]])
    assert len(lines) == 1
    assert returns.gap is None


@pytest.mark.parametrize("turns", [[[1.0]], [[5.0] * LAST_EPISODES, [2.0]]])
def test_it_goes_on_where_it_was(turns):
    returns, _ = told(turns)
    other, _ = told([])
    other.load_state_dict(returns.state_dict())
    assert other.state_dict() == returns.state_dict()
    assert other.gap == returns.gap
