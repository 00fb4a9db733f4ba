"""The reward behind demonstrations."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from understudy import record
from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.errors import ConfigError, DemoError
from understudy.inverse import MaxEntConfig, MaxEntIRL, ambiguity, feature_expectations
from understudy.ops.soft_values import FiniteMdp, soft_values, visitation
from understudy.worlds.grid_world import GridWorld, expert

ROWS = ("S..~", ".#..", ".~.G")
WORTH = {".": -1.0, "~": -3.0, "G": 4.0}


def island(**changes):
    return GridWorld(ROWS, WORTH, **{"horizon_steps": 8, **changes})


def meadow(**changes):
    """Nothing ends here."""
    rewards = {".": 0.0, "~": -1.5, "*": 1.0}
    return GridWorld(("S.~*", ".#..", "~..*"), rewards, ends="", **{"horizon_steps": 9, **changes})


WORLDS = [
    island(),
    island(slip=0),
    island(slip=0.3, wind=(0, 0.2, 0.5, 0)),
    island(discount=0.9),
    island(discount=0.9, horizon_steps=None),
    meadow(),
    meadow(discount=0.8, horizon_steps=None),
    GridWorld(),
]
worlds = pytest.mark.parametrize("world", WORLDS, ids=range(len(WORLDS)))


def expected(world, features=None):
    """What the soft-optimal expert brings on average, exactly."""
    visits = visitation(world.mdp, soft_values(world.mdp, world.reward).policy)
    features = world.features if features is None else features
    return np.asarray(np.tensordot(visits, features, 2), np.float64)


def played(world, episodes, *, seed=0):
    walker = expert(world, seed=seed)
    return record(lambda: deepcopy(world), walker, episodes=episodes, seed=seed, slots=10)


def changed_demos(demos, **changes):
    """The same with its first episode changed."""
    first, *others = demos.episodes
    return replace(demos, episodes=[replace(first, **changes), *others])


def test_the_odds_of_two_choices_by_hand():
    # Chosen once, 3 times in 4, so the chosen feature is worth log(3/4) - log(1/4) = log 3.
    mdp = FiniteMdp(
        transition=np.ones((1, 2, 1)), start=np.ones(1), terminal=np.zeros(1, bool), horizon_steps=1
    )
    features = np.array([[[1.0], [0.0]]])
    found = MaxEntIRL(mdp, np.array([0.75]), features, MaxEntConfig(tolerance=1e-6)).learn()
    assert found.weights == pytest.approx([np.log(3)], abs=1e-4)
    assert found.policy[0, 0] == pytest.approx([0.75, 0.25], abs=1e-6)
    assert found.descent[0] == pytest.approx(np.log(2)), "at no reward: the entropy of a coin"
    assert found.descent[-1] == pytest.approx(np.log(4) - 0.75 * np.log(3)), "that of 3 in 4"


@pytest.mark.parametrize("decay", [0.1, 1.0])
def test_decay_gives_the_features_up_that_its_weights_would_cost(decay):
    mdp = FiniteMdp(
        transition=np.ones((1, 2, 1)), start=np.ones(1), terminal=np.zeros(1, bool), horizon_steps=1
    )
    features = np.array([[[1.0], [0.0]]])
    config = MaxEntConfig(weight_decay=decay, tolerance=1e-8)
    found = MaxEntIRL(mdp, np.ones(1), features, config).learn()
    assert found.converged
    assert 1 - found.policy[0, 0, 0] == pytest.approx(decay * found.weights[0], abs=1e-7)


@worlds
def test_features_are_matched_to_a_thousandth(world):
    found = MaxEntIRL(world.mdp, expected(world), world.features).learn()
    assert found.converged
    assert found.gap <= 1e-3
    again = np.tensordot(visitation(world.mdp, found.policy), world.features, 2)
    assert np.abs(again - expected(world)).max() <= 1e-3
    assert found.reward == pytest.approx(
        np.where(world.mdp.terminal[:, None], 0, world.features @ found.weights)
    )


@worlds
def test_the_expert_s_policy_is_recovered_from_what_it_brings(world):
    found = MaxEntIRL(world.mdp, expected(world), world.features).learn()
    truth = soft_values(world.mdp, world.reward).policy
    often = visitation(world.mdp, truth).sum(1) > 0.01
    assert np.abs(found.policy - truth)[0, often].max() < 0.01


@worlds
def test_the_dual_never_rises_and_ends_at_the_expert_s_entropy(world):
    found = MaxEntIRL(
        world.mdp, expected(world), world.features, MaxEntConfig(tolerance=1e-5)
    ).learn()
    assert (np.diff(found.descent) <= 0).all()
    value = world.mdp.start @ soft_values(world.mdp, world.reward).value[0]
    assert found.descent[-1] == pytest.approx(value - world.weights @ expected(world), abs=1e-4)


def test_every_cell_s_own_reward_is_recovered():
    world = GridWorld()
    cells = world.mdp.transition
    config = MaxEntConfig(tolerance=1e-6)
    found = MaxEntIRL(world.mdp, expected(world, cells), cells, config).learn()
    assert found.weights == pytest.approx(world.is_kind @ world.weights, abs=0.01)


def test_where_nothing_ends_only_differences_are_recovered():
    world = meadow()
    config = MaxEntConfig(tolerance=1e-6)
    found = MaxEntIRL(world.mdp, expected(world), world.features, config).learn()
    off = found.weights - world.weights
    assert off == pytest.approx(np.full(3, off[0]), abs=1e-3)
    assert "a constant on every step" in ambiguity(world.mdp)


def test_where_all_end_a_bonus_for_ending_cannot_be_told():
    # Discounted and without a horizon everybody ends, and c at the end with (1 - discount) c on
    # every step before is c in all.
    world = island(discount=0.9, horizon_steps=None)
    config = MaxEntConfig(tolerance=1e-6)
    found = MaxEntIRL(world.mdp, expected(world), world.features, config).learn()
    ground, goal, bog = found.weights - world.weights
    assert abs(goal) > 0.1
    assert [ground, bog] == pytest.approx([0.1 * goal] * 2, abs=1e-3)
    assert "with 0.1 of it on every step before" in ambiguity(world.mdp)
    assert "which all episodes get alike" in ambiguity(island().mdp)


def test_where_nobody_comes_the_reward_stays_zero():
    world = GridWorld(("S.G", "###", "~~~"), WORTH, horizon_steps=6)
    found = MaxEntIRL(world.mdp, expected(world), world.features).learn()
    assert found.weights[world.kinds.index("~")] == 0
    assert found.visits[world.is_kind[:, world.kinds.index("~")] > 0].sum() == 0


@pytest.mark.parametrize("world", [island(), meadow()], ids=["island", "meadow"])
def test_the_policy_is_recovered_from_many_demonstrations(world):
    demos = played(world, 2000)
    found = MaxEntIRL(world.mdp, demos, world.features).learn()
    assert found.gap <= 1e-3
    truth = soft_values(world.mdp, world.reward).policy
    often = visitation(world.mdp, truth).sum(1) > 0.1
    assert np.abs(found.policy - truth)[0, often].max() < 0.05


def test_demonstrations_bring_what_the_expert_brings_on_average():
    world = island()
    found = feature_expectations(world.mdp, played(world, 2000), world.features)
    assert found.features == pytest.approx(expected(world), abs=0.15)
    assert found.start == pytest.approx(world.mdp.start)


def test_discounts_count_by_hand():
    world = island(slip=0, discount=0.5)
    demos = played(world, 1)
    found = feature_expectations(world.mdp, demos, world.features).features
    kinds = world.is_kind[demos.episodes[0].obs["obs"].argmax(1)[1:]]
    assert found == pytest.approx(0.5 ** np.arange(demos.num_steps) @ kinds)


def test_where_demonstrations_begin_is_not_laid_to_the_reward():
    world = GridWorld(("S.G", "..S"), {".": -1.0, "G": 2.0}, horizon_steps=6)
    demos = played(world, 400)
    begins = np.array([episode.obs["obs"][0].argmax() for episode in demos])
    biased = demos.pick(np.flatnonzero((begins == 0) | (np.arange(400) < 40)))
    found = MaxEntIRL(world.mdp, biased, world.features)
    assert found.mdp.start[0] > 0.85
    weights = found.learn().weights
    assert weights[0] == pytest.approx(-1, abs=0.3)


def test_what_no_policy_can_do_is_refused_and_decay_helps():
    world = island()
    shown = expected(world) * [1, 0, 1] + [0, 1.2, 0]  # more than one goal an episode
    with pytest.raises(DemoError, match=r"feature 1 stands out most.*weight_decay"):
        MaxEntIRL(world.mdp, shown, world.features).learn()
    found = MaxEntIRL(world.mdp, shown, world.features, MaxEntConfig(weight_decay=0.1)).learn()
    assert found.converged
    assert found.gap == pytest.approx(0.1 * np.abs(found.weights).max(), rel=0.01)


def test_too_few_steps_are_said_to_be_too_few():
    world = island()
    found = MaxEntIRL(world.mdp, expected(world), world.features, MaxEntConfig(steps=2)).learn()
    assert not found.converged
    assert found.describe().startswith("NOT converged after 2 steps")


def test_demonstrations_that_end_too_early_or_too_late_are_refused():
    world = island()
    demos = played(world, 30)
    arrived = next(i for i, demo in enumerate(demos) if demo.terminated)
    steps = int(demos.lengths[arrived])
    shorter = replace(world.mdp, horizon_steps=steps - 1)
    with pytest.raises(DemoError, match=f"{steps} steps, and the task ends .* after {steps - 1}"):
        MaxEntIRL(shorter, demos.pick([arrived]), world.features)
    one = demos.episodes[0]
    cut = {
        "obs": {"obs": one.obs["obs"][:2]},
        "action": Action(one.action.continuous[:1], one.action.discrete[:1]),
        "acted_by": one.acted_by[:1],
        "reward": None,
        "end": End.OPEN,
    }
    with pytest.raises(DemoError, match="1 steps, and the task ends"):
        MaxEntIRL(world.mdp, changed_demos(demos, **cut), world.features)
    forever = replace(world.mdp, horizon_steps=None, discount=0.9)
    with pytest.raises(DemoError, match=r"of an episode's discounted steps"):
        MaxEntIRL(forever, changed_demos(demos, **cut), world.features)


def test_demonstrations_of_another_task_are_refused():
    world, demos = island(), played(island(), 20)
    walked = demos.episodes[0].obs["obs"].argmax(1)
    terminal = world.mdp.terminal.copy()
    terminal[next(state for state in walked if state != walked[0])] = True
    elsewhere = np.roll(world.mdp.start, 1)
    for mdp, words in (
        (island(slip=0).mdp, "which never happens in the task"),
        (replace(world.mdp, start=elsewhere), "where the task never does"),
        (replace(world.mdp, terminal=terminal), "goes on in a terminal state"),
    ):
        with pytest.raises(DemoError, match=words):
            MaxEntIRL(mdp, demos, world.features)
    with pytest.raises(DemoError, match="no episode"):
        MaxEntIRL(world.mdp, Demos(demos.spec, []), world.features)
    big = GridWorld()
    with pytest.raises(DemoError, match="expected a one-hot of"):
        MaxEntIRL(big.mdp, demos, big.features)


def test_settings_out_of_range_are_refused():
    world = island()
    with pytest.raises(ConfigError, match="tolerance"):
        MaxEntIRL(world.mdp, expected(world), world.features, MaxEntConfig(tolerance=0.0))


def test_features_that_do_not_fit_are_refused():
    world = island()
    with pytest.raises(ValueError, match=r"features \[4, 11\]: expected"):
        MaxEntIRL(world.mdp, expected(world), world.reward.T)
    with pytest.raises(ValueError, match="finite"):
        MaxEntIRL(world.mdp, expected(world), np.full_like(world.features, np.nan))
    with pytest.raises(ValueError, match="expected one finite number each"):
        MaxEntIRL(world.mdp, np.zeros(2), world.features)
