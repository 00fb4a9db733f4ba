"""Steps on which nobody said what to do are no demonstration, wherever they are learned from."""

from dataclasses import replace

import numpy as np
import pytest

from understudy.data.demos import Demos, Rows
from understudy.data.episode import ActedBy
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.rewards.gail import GAIL, GAILConfig
from understudy.run.cloning import split
from understudy.run.source import Offline, OfflineConfig
from worlds import episode_of

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=())}, action=ActionSpec(continuous=1))


def taught(*who):
    numbers = np.arange(len(who) + 1)
    episode = episode_of(SPEC, numbers, continuous=numbers[:-1].tolist())
    return replace(episode, acted_by=np.array(who, np.uint8))


def offline(rows, memory, length):
    net = NetConfig(hidden=(4,), memory=memory)
    model = make_model(SPEC, Product(SPEC.action), net, np.random.default_rng(0))
    config = OfflineConfig(batch_size=64, length=length, noise=0)
    return Offline(rows, model, config, np.random.default_rng(0))


LEARNER, ALONE, SCRIPT = ActedBy.LEARNER, ActedBy.UNLABELED, ActedBy.SCRIPT


def test_unlabeled_steps_are_not_acted_on_and_all_others_are():
    rows = Demos(SPEC, [taught(SCRIPT, ALONE, LEARNER), taught(ALONE)]).rows()
    assert rows.acted.tolist() == [True, True, True, False, True, False]
    assert rows.labeled.acted.tolist() == [True, False, True, False, False, False]


def test_where_nobody_knows_who_acted_everything_is_labeled():
    rows = Demos(SPEC, [taught(SCRIPT, ALONE)]).rows()
    fields = rows.obs, rows.action, rows.reward, rows.acted, rows.fresh, rows.episode
    assert Rows(*fields).labeled.acted.tolist() == rows.acted.tolist()


def test_without_memory_only_labeled_steps_are_served():
    rows = Demos(SPEC, [taught(SCRIPT, ALONE, LEARNER, ALONE)]).rows().labeled
    assert offline(rows, 0, 1).windows.tolist() == [[0, 2]]


def test_a_memory_runs_through_unlabeled_steps_and_windows_without_a_label_are_left_out():
    # Windows of two: steps (0, 1), (2, 3) and (4).
    rows = Demos(SPEC, [taught(ALONE, LEARNER, ALONE, ALONE, SCRIPT)]).rows().labeled
    source = offline(rows, 3, 2)
    assert source.windows.T.tolist() == [[0, 1], [4, 4]]
    batch = source.draw()
    first = batch.obs["obs"][0] == 0
    assert batch.acted[:, first].tolist() == [[0], [1]]
    assert batch.acted[:, ~first].tolist() == [[1], [0]]
    # The memory before the last window has gone through the four steps before it.
    assert np.abs(next(iter(batch.state.values()))[~first]).max() > 0


def test_nothing_is_cloned_and_nothing_judged_on_which_nobody_said_what_to_do():
    demos = Demos(SPEC, [taught(SCRIPT, ALONE, LEARNER) for _ in range(4)])
    found = split(demos, 0.5, np.random.default_rng(0))
    assert found.held is not None
    for rows in (found.learned, found.held):
        assert rows.acted.tolist() == [True, False, True, False] * 2
    one_sided = Demos(SPEC, [taught(SCRIPT, ALONE), taught(ALONE)])
    found = split(one_sided, 0.5, np.random.default_rng(0))
    assert (found.held, found.learned.acted.sum()) == (None, 1)
    with pytest.raises(DemoError, match="nobody said what to do"):
        split(Demos(SPEC, [taught(ALONE, ALONE)]), 0.5, np.random.default_rng(0))


def test_a_discriminator_does_not_take_a_pupil_for_the_demonstrator():
    demos = Demos(SPEC, [taught(SCRIPT, ALONE, LEARNER, ALONE) for _ in range(3)])
    rng = np.random.default_rng(0)
    signal = GAIL(SPEC, Product(SPEC.action), demos, GAILConfig(held_out=0, offset="none"), rng)
    assert sorted(signal.shown.code[:, 0].tolist()) == [0, 0, 0, 2, 2, 2]
