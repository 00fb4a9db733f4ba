"""The pole whose speeds are hidden."""

from typing import Any

import gymnasium
import numpy as np

from understudy.worlds.experts import cart_pole
from understudy.worlds.hidden_cart_pole import STEP_SECONDS, expert

FRESH, LATER = np.array([True]), np.array([False])


def leaning(angle):
    """What is seen of a cart in the middle."""
    return {"obs": np.array([[0, angle]], np.float32)}


def test_is_cart_pole_without_its_velocities():
    hidden: Any = gymnasium.make("understudy.worlds.tasks:HiddenCartPole-v0")
    shown: Any = gymnasium.make("CartPole-v1")
    part, whole = hidden.reset(seed=5)[0], shown.reset(seed=5)[0]
    assert hidden.observation_space == gymnasium.spaces.Box(
        shown.observation_space.low[[0, 2]], shown.observation_space.high[[0, 2]]
    )
    for action in (0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1):
        assert np.array_equal(part, whole[[0, 2]])
        part, *ours = hidden.step(action)
        whole, *theirs = shown.step(action)
        assert ours == theirs
        if ours[1]:
            break
    assert ours[1], "the pole falls"


def test_a_glance_does_not_say_what_to_do():
    upright = np.array([[0.0, 0.0, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]])
    assert cart_pole(upright).tolist() == [False, True]


def test_expert_knows_speeds_from_the_step_before():
    actor, state = expert(), expert().start(1)
    # Angle 0.01 alone is a push to the right; falling to the left from 0.02 in one step is not.
    still, state = actor.act(leaning(0.02), state, FRESH)
    falling, state = actor.act(leaning(0.01), state, LATER)
    assert (still.discrete.item(), falling.discrete.item()) == (1, 0)
    assert 3 * 0.01 + 1 * -0.01 / STEP_SECONDS < 0
    again, _ = actor.act(leaning(0.01), state, FRESH)
    assert again.discrete.item() == 1, "what was before the episode is forgotten"
