"""The grid whose chances are known."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_as_gymnasium_does

from understudy import record
from understudy.data.episode import ActedBy, End
from understudy.data.tabular import walks
from understudy.envs.check import check_env
from understudy.envs.gym import GymEnv
from understudy.ops.soft_values import soft_values, visitation
from understudy.worlds.grid_world import GridWorld, expert

UP, RIGHT, DOWN, LEFT = range(4)
ROOM = ("S.G", ".#.")
"""States: 0 1 2 above, 3 and 4 below."""
WORTH = {".": -1.0, "G": 3.0}


def room(**changes):
    return GridWorld(ROOM, WORTH, **{"horizon_steps": 6, **changes})


def leads(world, state, action):
    chance = world.mdp.transition[state, action]
    return {int(there): round(float(chance[there]), 6) for there in np.flatnonzero(chance)}


def test_steps_by_hand_without_chance():
    world = room(slip=0)
    assert world.cells == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2)]
    assert leads(world, 0, RIGHT) == {1: 1}
    assert leads(world, 0, DOWN) == {3: 1}
    assert leads(world, 0, UP) == {0: 1}, "off the map it does nothing"
    assert leads(world, 1, DOWN) == {1: 1}, "and into a wall"
    assert leads(world, 4, UP) == {2: 1}


def test_who_slips_goes_to_either_side():
    world = room(slip=0.2)
    assert leads(world, 0, RIGHT) == {1: 0.8, 0: 0.1, 3: 0.1}
    assert leads(world, 3, UP) == {0: 0.8, 3: 0.2}


def test_wind_blows_up_by_the_column_that_was_left_and_not_from_the_goal():
    world = GridWorld(("...", "S.G", "..."), WORTH, slip=0, wind=(0.25, 1, 0), horizon_steps=4)
    assert leads(world, 3, RIGHT) == {4: 0.75, 1: 0.25}
    assert leads(world, 7, UP) == {1: 1}
    assert leads(world, 4, RIGHT) == {5: 1}, "it was over before it could be blown away"
    assert leads(world, 8, UP) == {5: 1}, "no wind in the last column"


def test_features_are_the_ground_that_a_step_ends_on():
    world = room(slip=0.2)
    assert world.kinds == (".", "G")
    assert world.features[1, RIGHT] == pytest.approx([0.2, 0.8])
    assert world.reward[1, RIGHT] == pytest.approx(0.8 * 3 - 0.2)
    assert world.features[~world.mdp.terminal].sum(-1) == pytest.approx(1)


def test_several_starts_are_equally_likely():
    world = GridWorld(("S.S", "SG#"), WORTH)
    assert world.mdp.start == pytest.approx(np.array([1, 0, 1, 1, 0]) / 3)


@pytest.mark.parametrize("wind", [None, (0.1, 0.3, 0)])
def test_the_world_does_what_its_chances_say(wind):
    world = room(slip=0.3, wind=wind)
    counts = np.zeros_like(world.mdp.transition)
    rng = np.random.default_rng(0)
    here, over = world.reset(seed=0)[0], False
    for _ in range(12_000):
        action = rng.integers(4)
        there, reward, terminated, truncated, _ = world.step(action)
        assert reward == (3 if there == 2 else -1)
        assert terminated == (there == 2)
        counts[here, action, there] += 1
        over = terminated or truncated
        here = world.reset()[0] if over else there
    tried = counts.sum(-1, keepdims=True)
    seen = tried[..., 0] > 300
    assert seen.sum() >= 8
    # Four standard deviations of a share at most.
    allowed = 4 * (0.25 / np.maximum(tried, 1)) ** 0.5
    assert (np.abs(counts / np.maximum(tried, 1) - world.mdp.transition) < allowed)[seen].all()


def test_an_episode_ends_at_the_goal_or_is_cut_off_at_the_horizon():
    world = room(slip=0, horizon_steps=2)
    world.reset(seed=0)
    assert world.step(np.int64(UP))[2:4] == (False, False)
    assert world.step(np.int64(UP))[2:4] == (False, True)
    world.reset()
    world.step(np.int64(RIGHT))
    assert world.step(np.int64(RIGHT))[2:4] == (True, False), "in time, if only just"


def test_without_a_horizon_it_is_never_cut_off():
    world = room(slip=0, horizon_steps=None, discount=0.9)
    world.reset(seed=0)
    assert not any(world.step(np.int64(UP))[3] for _ in range(200))


def test_keeps_the_contracts():
    assert check_env(GymEnv(GridWorld, 3), steps=100) == []
    check_as_gymnasium_does(GridWorld(), skip_render_check=True)


def test_what_the_expert_does_is_what_the_model_says():
    world = GridWorld()
    demos = record(lambda: GridWorld(), expert(world, seed=1), episodes=1500, slots=30)
    policy = soft_values(world.mdp, world.reward).policy
    visits = visitation(world.mdp, policy)
    # Means of 1,500 episodes, within four of their standard deviations.
    for found, expected in (
        (demos.returns, (visits * world.reward).sum()),
        (demos.lengths, visits.sum()),
    ):
        assert abs(found.mean() - expected) < 4 * found.std() / 1500**0.5
    first = [walk.choices[0] for walk in walks(demos, world.mdp.num_states, 4)]
    (start,) = np.flatnonzero(world.mdp.start)
    shares = np.bincount(first, minlength=4) / 1500
    assert np.abs(shares - policy[0, start]).max() < 4 * (0.25 / 1500) ** 0.5
    assert demos.episodes[0].acted_by[0] == ActedBy.SCRIPT
    assert {episode.end for episode in demos} == {End.TERMINATED, End.TRUNCATED}


def test_a_cold_expert_takes_the_shortest_way():
    world = room(slip=0)
    demos = record(world, expert(world, temperature=0.01), episodes=5)
    assert demos.lengths.tolist() == [2] * 5


def test_a_map_of_states_has_holes_where_there_are_walls():
    drawn = room().as_map(np.arange(5.0))
    assert np.isnan(drawn[1, 1])
    assert drawn[0].tolist() == [0, 1, 2]
    assert drawn[1, [0, 2]].tolist() == [3, 4]


def test_a_picture_shows_the_walker_where_it_is():
    world = room(slip=0)
    world.reset(seed=0)
    before = world.render()
    world.step(np.int64(DOWN))
    rows, columns = np.nonzero((before != world.render()).any(-1))
    assert before.shape == (64, 96, 3)
    assert set(columns // 32) == {0}
    assert set(rows // 32) == {0, 1}


@pytest.mark.parametrize(
    ("rows", "rewards", "more", "words"),
    [
        (("S.", "."), {".": 0}, {"ends": ""}, "all must be alike"),
        ((), {".": 0}, {}, "all must be alike"),
        (("..",), {".": 0}, {"ends": ""}, "no 'S'"),
        (("SG",), {".": 0}, {}, "every kind of ground needs one"),
        (("S.",), {".": 0, "G": 1}, {}, "none else"),
        (("S.",), {".": 0}, {"ends": "."}, "cannot end there"),
        (("SG",), {".": 0, "G": 0}, {"slip": 1.5}, r"chances in \[0, 1\]"),
        (("SG",), {".": 0, "G": 0}, {"wind": (0.5,)}, "2 columns"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(rows, rewards, more, words):
    with pytest.raises(ValueError, match=words):
        GridWorld(rows, rewards, **more)
