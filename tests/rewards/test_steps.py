"""Steps as signals look at them."""

from __future__ import annotations

import pytest

from batches import in_order
from understudy.data.demos import Demos
from understudy.data.episode import ActedBy, End
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError
from understudy.ops.product import Product
from understudy.rewards.steps import lived, own, shown
from worlds import episode_of

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(1,))}, action=ActionSpec(branches=(2,)))
DIST = Product(SPEC.action)


def two_episodes():
    over = episode_of(SPEC, [0, 1, 2], discrete=[0, 1], end=End.TERMINATED)
    cut = episode_of(SPEC, [5, 6], discrete=[1], end=End.TRUNCATED)
    return Demos(SPEC, [over, cut])


def test_shown_steps_know_what_came_next_and_where_the_task_was_over():
    steps = shown(two_episodes(), DIST)
    assert steps.obs["obs"].ravel().tolist() == [0, 1, 5]
    assert steps.after["obs"].ravel().tolist() == [1, 2, 6]
    assert steps.over.tolist() == [0, 1, 0]
    assert steps.code.tolist() == [[1, 0], [0, 1], [0, 1]]


def test_lived_steps_are_those_of_the_same_episodes():
    batch = in_order(two_episodes(), DIST)
    steps, mine = lived(batch), own(batch)
    assert mine.ravel().tolist() == [True, True, False, True]
    mine, theirs = steps.at(mine), shown(two_episodes(), DIST)
    assert (mine.code == theirs.code).all()
    assert (mine.over == theirs.over).all()
    assert (mine.obs["obs"] == theirs.obs["obs"]).all()
    assert (mine.after["obs"] == theirs.after["obs"]).all()
    batch.shown[:] = 1
    assert not own(batch).any(), "a demonstration is nobody's own"


def test_without_a_look_ahead_it_says_so():
    batch = in_order(two_episodes(), DIST)
    batch.acted = batch.acted[:-1]
    with pytest.raises(ValueError, match="needs a look ahead"):
        lived(batch)


def test_steps_whose_end_is_unknown_are_left_out_unless_the_task_was_over():
    def ended(end):
        return episode_of(SPEC, [0, 1, 1], discrete=[0, 1], end=end, final_obs_known=False)

    assert shown(Demos(SPEC, [ended(End.TERMINATED)]), DIST).rows == 2
    assert shown(Demos(SPEC, [ended(End.TRUNCATED)]), DIST).rows == 1


def test_steps_that_nobody_labeled_show_nothing():
    demos = two_episodes()
    demos.episodes[0].acted_by[0] = ActedBy.UNLABELED
    assert shown(demos, DIST).obs["obs"].ravel().tolist() == [1, 5]


def test_demonstrations_without_a_step_are_refused():
    with pytest.raises(DemoError, match="nothing to be like"):
        shown(Demos(SPEC, [episode_of(SPEC, [0], end=End.OPEN)]), DIST)


def test_demonstrations_of_something_else_are_refused():
    other = Spec(obs=SPEC.obs, action=ActionSpec(branches=(3,)))
    with pytest.raises(DemoError, match="do not fit the environment"):
        two_episodes().check_fit(other)
