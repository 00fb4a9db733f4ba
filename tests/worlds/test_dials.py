"""The dials, of which several are turned at once."""

import itertools

import gymnasium
import numpy as np
import pytest

from understudy.envs.gym import GymEnv
from understudy.worlds.dials import SIZES, expert

NAME = "understudy.worlds.tasks:Dials-v0"


def obs_at(dials, targets):
    """Six one-hots one after the other, `[1, 36]`."""
    places = zip((*SIZES, *SIZES), (*dials, *targets), strict=True)
    return {"obs": np.concatenate([np.eye(n, dtype=np.uint8)[i] for n, i in places])[None]}


def test_dials_go_round_and_each_by_itself():
    env = gymnasium.make(NAME)
    seen, _ = env.reset(seed=0)
    dials, targets = seen[:3], seen[3:]
    for step, action in enumerate(itertools.product(range(3), repeat=3)):
        dials = (dials + np.array(action) - 1) % SIZES
        seen, reward, *_ = env.step(np.array(action))
        assert reward == pytest.approx((dials == targets).sum() / 3)
        if step == 19:
            targets = seen[3:]
        assert seen.tolist() == [*dials, *targets]


def test_targets_change_halfway_and_only_there():
    env = gymnasium.make(NAME)
    changes = np.zeros(40)
    for seed in range(30):
        seen, _ = env.reset(seed=seed)
        for step in range(40):
            before, (seen, *_, truncated, _) = seen, env.step([1, 1, 1])
            changes[step] += not np.array_equal(before[3:], seen[3:])
            assert truncated == (step == 39)
    # All three targets stay as they are with probability 1/5 x 1/6 x 1/7.
    assert changes[19] >= 28
    assert changes.sum() == changes[19]


def test_expert_turns_the_shorter_way():
    action, _ = expert().act(obs_at((0, 1, 3), (4, 4, 3)), {}, np.array([True]))
    # 5 positions: from 0 one to the left; 6: from 1 to 4 both ways are three; 7: it is there.
    assert action.discrete.tolist() == [[0, 2, 1]]


def test_optimum_is_what_the_page_says_it_is():
    missed = [np.mean([max(min(d, n - d) - 1, 0) for d in range(n)]) for n in SIZES]
    assert missed == pytest.approx([2 / 5, 4 / 6, 6 / 7])
    assert 40 - 2 * sum(missed) / 3 == pytest.approx(38.72, abs=0.005)
    one_way = [np.mean([max(d - 1, 0) for d in range(n)]) for n in SIZES]
    assert 40 - 2 * sum(one_way) / 3 == pytest.approx(36.66, abs=0.005)


def test_expert_misses_no_step_that_it_need_not_miss():
    env = GymEnv(NAME, 30)
    moment, total, best = env.reset(0)["agent"], np.zeros(30), np.full(30, 40.0)
    for step in range(40):
        if step in (0, 20):  # new targets are seen
            hots = np.split(moment.obs["obs"], np.cumsum([*SIZES, *SIZES])[:-1], axis=1)
            dials, targets = np.array([hot.argmax(1) for hot in hots]).reshape(2, 3, 30)
            away = (targets - dials) % SIZES[:, None]
            best -= np.maximum(np.minimum(away, SIZES[:, None] - away) - 1, 0).sum(0) / 3
        action, _ = expert().act(moment.obs, {}, moment.fresh)
        moment = env.step({"agent": action})["agent"]
        total += moment.reward
    assert moment.truncated.all()
    assert total == pytest.approx(best)
