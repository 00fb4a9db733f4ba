"""The maze that is a picture."""

import gymnasium
import numpy as np
import pytest

from understudy.data.spaces import spec_of
from understudy.worlds.grid import GOAL, SIDE_PX, WALKER, WALL, expert, steps_to

NAME = "understudy.worlds.tasks:Grid-v0"


def played(seed):
    """The expert's first picture and its rewards."""
    env, actor = gymnasium.make(NAME), expert()
    first, _ = env.reset(seed=seed)
    picture, rewards, over = first, [], False
    while not over:
        action, _ = actor.act({"obs": picture[None]}, {}, np.array([False]))
        picture, reward, terminated, truncated, _ = env.step(action.discrete.item())
        rewards.append(reward)
        over = terminated or truncated
    return first, rewards


def walk_length(picture):
    """Steps from the walker to the goal by powers of the matrix that says what is beside what."""
    cells = (picture[2:26:4, 2:26:4] > 0).reshape(36, 3)
    is_free = ~cells[:, WALL]
    row, column = np.divmod(np.arange(36), 6)
    beside = np.abs(row[:, None] - row) + np.abs(column[:, None] - column) == 1
    beside = (beside & is_free & is_free[:, None]).astype(float)
    reached, goal, steps = cells[:, WALKER].astype(float), cells[:, GOAL], 0
    while not reached @ goal:
        reached, steps = np.minimum(reached @ beside, 1), steps + 1
    return steps


@pytest.mark.parametrize("seed", range(20))
def test_expert_walks_the_shortest_way_and_is_paid_for_it(seed):
    picture, rewards = played(seed)
    steps = walk_length(picture)
    assert len(rewards) == steps
    assert sum(rewards) == pytest.approx(1 - steps / 40)


def test_a_picture_has_one_walker_one_goal_five_walls_and_a_border():
    picture, _ = gymnasium.make(NAME).reset(seed=0)
    assert set(np.unique(picture)) == {0, 255}
    cells = 16
    lit = (picture > 0).sum((0, 1))
    assert lit[[WALKER, GOAL]].tolist() == [cells, cells]
    assert lit[WALL] == 5 * cells + 28 * 28 - 24 * 24
    assert ((picture > 0).sum(2) <= 1).all(), "all are at places of their own"


def test_the_goal_is_seen_through_a_walker_who_stands_on_it():
    env, actor = gymnasium.make(NAME), expert()
    picture, over = env.reset(seed=0)[0], False
    while not over:
        action, _ = actor.act({"obs": picture[None]}, {}, np.array([False]))
        picture, _, over, _, _ = env.step(action.discrete.item())
    assert np.array_equal(picture[..., WALKER], picture[..., GOAL])


def test_steps_to_a_goal_by_hand():
    # G . #      0 1 #
    # # . #  ->  # 2 #
    # . . #      4 3 #   and a free cell that nobody can reach
    free = {(0, 0), (0, 1), (1, 1), (2, 1), (2, 0), (5, 5)}
    assert steps_to((0, 0), free) == {(0, 0): 0, (0, 1): 1, (1, 1): 2, (2, 1): 3, (2, 0): 4}


def test_walls_and_borders_hold():
    env = gymnasium.make(NAME)
    picture, _ = env.reset(seed=3)
    for _ in range(7):
        before = picture
        picture, reward, terminated, _, _ = env.step(0)
        assert not terminated
        assert reward == -1 / 40
    assert np.array_equal(before, picture), "after six steps upward there is something in the way"


def test_standing_still_costs_one_in_forty_steps():
    env = gymnasium.make(NAME)
    env.reset(seed=3)
    steps = [env.step(0) for _ in range(40)]
    assert [truncated for *_, truncated, _ in steps] == [False] * 39 + [True]
    assert sum(float(reward) for _, reward, *_ in steps) == pytest.approx(-1)


def test_the_light_camera_sees_every_pixel():
    torch = pytest.importorskip("torch")
    from understudy.nets.encoders import Camera

    spec = spec_of(gymnasium.make(NAME).observation_space, gymnasium.spaces.Discrete(4))
    camera = Camera("simple", "obs", spec.obs["obs"], 64, np.random.default_rng(0))
    image = torch.rand(3, SIDE_PX, SIDE_PX, requires_grad=True)
    (slope,) = torch.autograd.grad(camera(image).sum(), image)
    assert (slope != 0).any(0).all()
