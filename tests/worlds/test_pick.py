"""The hand that moves by numbers and grabs by choice."""

import gymnasium
import numpy as np
import pytest

from understudy.envs.gym import GymEnv
from understudy.worlds.pick import GRAB, NOTHING, RELEASE, STEP, Pick, expert

NAME = "understudy.worlds.tasks:Pick-v0"


def world(hand, thing, goal):
    """One whose places are these."""
    env = Pick()
    env.reset(seed=0)
    env._hand, env._thing, env._goal = (np.array(place, float) for place in (hand, thing, goal))
    return env


def do(env, x, y, hand):
    obs, reward, terminated, truncated, _ = env.step(
        {"move": np.array([x, y], np.float32), "hand": hand}
    )
    assert not truncated
    return obs, reward, terminated


def lengths(obs):
    """How far the hand is from the thing, and the thing from the goal, added up."""
    hand, thing, goal = obs[:, :2], obs[:, 2:4], obs[:, 4:6]
    return np.hypot(*(hand - thing).T) + np.hypot(*(thing - goal).T)


def test_an_episode_by_hand():
    env = world(hand=(0.2, 0.5), thing=(0.3, 0.5), goal=(0.4, 0.5))
    # The hand comes 0.05 nearer.
    obs, reward, over = do(env, 1, 0, NOTHING)
    assert obs == pytest.approx([0.25, 0.5, 0.3, 0.5, 0.4, 0.5, 0])
    assert (reward, over) == (pytest.approx(0.05), False)
    # Then it is there and grabs.
    obs, reward, over = do(env, 1, 0, GRAB)
    assert (obs[6], reward, over) == (1, pytest.approx(0.05), False)
    # It carries the thing, also where it says to grab what it holds.
    obs, reward, over = do(env, 1, 0, GRAB)
    assert obs == pytest.approx([0.35, 0.5, 0.35, 0.5, 0.4, 0.5, 1])
    assert (reward, over) == (pytest.approx(0.05), False)
    # And lets go where the goal is.
    obs, reward, over = do(env, 1, 0, RELEASE)
    assert obs == pytest.approx([0.4, 0.5, 0.4, 0.5, 0.4, 0.5, 0])
    assert (reward, over) == (pytest.approx(1.05), True)


def test_what_is_out_of_reach_is_not_grabbed():
    obs, _, _ = do(world((0.2, 0.5), (0.351, 0.5), (0.9, 0.9)), 1, 0, GRAB)
    assert obs[6] == 0
    obs, _, _ = do(world((0.2, 0.5), (0.349, 0.5), (0.9, 0.9)), 1, 0, GRAB)
    assert obs[6] == 1


def test_what_is_released_on_the_way_stays_there():
    env = world((0.5, 0.5), (0.5, 0.5), (0.9, 0.9))
    do(env, 0, 0, GRAB)
    _, _, over = do(env, 1, 0, RELEASE)
    obs, _, _ = do(env, 0, 1, NOTHING)
    assert not over
    assert obs == pytest.approx([0.55, 0.55, 0.55, 0.5, 0.9, 0.9, 0])


def test_a_thing_that_lies_at_the_goal_has_to_be_put_there_all_the_same():
    env = world((0.1, 0.1), (0.5, 0.5), (0.5, 0.5))
    assert not do(env, 0, 0, RELEASE)[2]


def test_moving_to_and_fro_earns_nothing():
    env = world((0.2, 0.2), (0.5, 0.5), (0.9, 0.9))
    there_and_back = [(1, 0), (0, 1), (-1, 0), (0, -1)] * 5
    assert sum(do(env, *move, NOTHING)[1] for move in there_and_back) == pytest.approx(0)


def test_the_hand_stays_in_the_square_and_moves_no_faster_than_it_may():
    env = world((0.02, 0.5), (0.5, 0.5), (0.9, 0.9))
    obs, _, _ = do(env, -1, 7, NOTHING)
    assert obs[:2] == pytest.approx([0, 0.5 + STEP])


def test_expert_earns_all_that_can_be_earned():
    env = GymEnv(NAME, 40)
    moment, total, running = env.reset(0)["agent"], np.zeros(40), np.ones(40, bool)
    best = 1 + lengths(moment.obs["obs"])
    while running.any():
        action, _ = expert().act(moment.obs, {}, moment.fresh)
        moment = env.step({"agent": action})["agent"]
        assert not moment.truncated[running].any()
        total += moment.reward * running
        running &= ~moment.ended
    assert total == pytest.approx(best, abs=1e-5)


def test_sixty_steps_are_all_there_are():
    env = gymnasium.make(NAME)
    env.reset(seed=0)
    still = {"move": np.zeros(2, np.float32), "hand": NOTHING}
    assert [env.step(still)[3] for _ in range(60)] == [False] * 59 + [True]
