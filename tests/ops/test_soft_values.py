"""Soft-optimal behavior: small tasks by hand, and laws on tasks by chance."""

import numpy as np
import pytest

from understudy.ops.soft_values import FiniteMdp, soft_values, visitation

LOG2 = np.log(2.0)


def door(*, ends, horizon_steps: int | None = 2, discount=1.0):
    """In the room (0) one stays or goes; outside (1) everything stays as it is."""
    transition = np.zeros((2, 2, 2))
    transition[0, 0, 0] = transition[0, 1, 1] = 1
    transition[1, :, 1] = 1
    return FiniteMdp(
        transition=transition,
        start=np.array([1.0, 0.0]),
        terminal=np.array([False, ends]),
        discount=discount,
        horizon_steps=horizon_steps,
    )


GOING = np.array([[0.0, LOG2], [0.0, 0.0]])
"""Going brings log 2."""


def by_chance(seed, *, horizon_steps=None, discount=0.9, terminal=(), states=6, actions=3):
    rng = np.random.default_rng(seed)
    over = np.isin(np.arange(states), terminal)
    start = rng.random(states) * ~over
    mdp = FiniteMdp(
        transition=rng.dirichlet(np.full(states, 0.3), (states, actions)),
        start=start / start.sum(),
        terminal=over,
        discount=discount,
        horizon_steps=horizon_steps,
    )
    return mdp, rng.normal(0, 2, (states, actions)), rng


KINDS = [
    {"horizon_steps": 5, "discount": 1.0},
    {"horizon_steps": 5, "discount": 0.8, "terminal": (1, 4)},
    {"discount": 0.9},
    {"discount": 0.97, "terminal": (0, 5)},
    {"discount": 0.0},
]
kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def test_two_steps_by_hand():
    # Last step: V(room) = log(e^0 + e^log2) = log 3, V(outside) = log 2.
    # First step: staying 0 + log 3, going log 2 + log 2: V(room) = log(3 + 4).
    found = soft_values(door(ends=False), GOING)
    assert np.exp(found.value) == pytest.approx(np.array([[7, 4], [3, 2]]))
    assert found.policy[:, 0] == pytest.approx(np.array([[3 / 7, 4 / 7], [1 / 3, 2 / 3]]))
    assert found.error == 0


def test_two_steps_by_hand_where_outside_nothing_more_is_done():
    # First step: staying 0 + log 3, going log 2 + 0: V(room) = log(3 + 2).
    found = soft_values(door(ends=True), GOING)
    assert np.exp(found.value) == pytest.approx(np.array([[5, 1], [3, 1]]))
    assert found.policy[0, 0] == pytest.approx([3 / 5, 2 / 5])
    assert (found.policy[:, 1] == 1 / 2).all()


def test_visits_by_hand():
    # Stays at first in 3 of 5, and then stays again in 1 of 3 of those: 3/5 + 1/5.
    mdp = door(ends=True)
    visits = visitation(mdp, soft_values(mdp, GOING).policy)
    assert visits == pytest.approx(np.array([[4 / 5, 4 / 5], [0, 0]]))


def test_two_steps_by_hand_discounted():
    # First step: staying 0 + log(3)/2, going log 2: V(room) = log(sqrt 3 + 2).
    mdp = door(ends=True, discount=0.5)
    found = soft_values(mdp, GOING)
    assert np.exp(found.value[0, 0]) == pytest.approx(3**0.5 + 2)
    stay = 3**0.5 / (3**0.5 + 2)
    visits = visitation(mdp, found.policy)
    assert visits[0] == pytest.approx([stay + stay / 6, 1 - stay + stay / 3])


def test_for_ever_by_hand():
    # Outside two choices are worth log 2 each step for ever: log 2 / (1 - 1/2).
    # In the room V = log(e^(V/2) + e^(log 2 + log 2)): with x = e^(V/2), x^2 = x + 4.
    mdp = door(ends=False, horizon_steps=None, discount=0.5)
    found = soft_values(mdp, GOING)
    x = (1 + 17**0.5) / 2
    assert found.value[0] == pytest.approx([2 * np.log(x), 2 * LOG2])
    assert found.policy[0, 0] == pytest.approx([1 / x, 4 / x**2])
    # 1 + q/2 + (q/2)^2 + ... times in the room, where q is the chance to stay; 2 steps in all.
    room = 1 / (1 - 1 / x / 2)
    assert visitation(mdp, found.policy).sum(1) == pytest.approx([room, 2 - room])


def test_three_states_with_chance_by_hand():
    # A gamble: choice 0 leads to a win (1) or a loss (2) with 3/4 and 1/4, choice 1 to either with
    # 1/2; a win then brings log 4 whatever is done, so V(win) = log 8, V(loss) = log 2.
    transition = np.zeros((3, 2, 3))
    transition[0] = [[0, 3 / 4, 1 / 4], [0, 1 / 2, 1 / 2]]
    transition[1:, :, 2] = 1
    mdp = FiniteMdp(
        transition=transition,
        start=np.array([1.0, 0, 0]),
        terminal=np.zeros(3, bool),
        horizon_steps=2,
    )
    found = soft_values(mdp, np.array([[0.0, 0], [np.log(4), np.log(4)], [0, 0]]))
    # 3/4 log 8 + 1/4 log 2 = 2.5 log 2, and (log 8 + log 2) / 2 = 2 log 2.
    assert found.policy[0, 0] == pytest.approx(np.array([2**2.5, 4]) / (2**2.5 + 4))


@kinds
def test_values_are_reward_and_entropy_of_the_visits(kind):
    mdp, reward, _ = by_chance(1, **kind)
    found = soft_values(mdp, reward)
    # Entropies differ from step to step: visits of every step by itself.
    states, worth, total = mdp.start, 1.0, 0.0
    for t in range(mdp.horizon_steps or 2000):
        policy = found.policy[min(t, len(found.policy) - 1)]
        done = states[:, None] * policy
        total += worth * (done * (reward - np.log(policy)))[~mdp.terminal].sum()
        states = np.einsum("sa,san->n", done, mdp.transition) * ~mdp.terminal
        worth *= mdp.discount
    assert mdp.start @ found.value[0] == pytest.approx(total)


@kinds
def test_visits_are_the_slope_of_the_value_in_the_reward(kind):
    mdp, reward, rng = by_chance(2, **kind)
    way = rng.normal(size=reward.shape)
    ahead, behind = (
        mdp.start @ soft_values(mdp, reward + size * way).value[0] for size in (1e-5, -1e-5)
    )
    visits = visitation(mdp, soft_values(mdp, reward).policy)
    assert (ahead - behind) / 2e-5 == pytest.approx((visits * way).sum(), rel=1e-6)


@pytest.mark.parametrize("discount", [1.0, 0.8])
def test_visits_sum_to_the_length_where_nothing_ends_early(discount):
    mdp, reward, _ = by_chance(3, horizon_steps=7, discount=discount)
    visits = visitation(mdp, soft_values(mdp, reward).policy)
    assert visits.sum() == pytest.approx(sum(discount**t for t in range(7)))


def test_visits_sum_to_the_length_for_ever():
    mdp, reward, _ = by_chance(3, discount=0.9)
    assert visitation(mdp, soft_values(mdp, reward).policy).sum() == pytest.approx(10)


def test_a_constant_on_every_step_changes_no_choice_where_nothing_ends_early():
    mdp, reward, _ = by_chance(4, horizon_steps=6, discount=1.0)
    one, other = soft_values(mdp, reward), soft_values(mdp, reward + 3)
    assert other.policy == pytest.approx(one.policy)
    assert pytest.approx(np.tile(3.0 * np.arange(6, 0, -1), (6, 1))) == (other.value - one.value).T


def test_a_constant_on_every_step_changes_choices_where_episodes_end():
    mdp, reward, _ = by_chance(4, horizon_steps=6, discount=1.0, terminal=(2,))
    one, other = soft_values(mdp, reward), soft_values(mdp, reward + 3)
    assert np.abs(other.policy - one.policy).max() > 0.1


@pytest.mark.parametrize("terminal", [(), (1, 2)])
def test_potentials_shift_values_and_change_no_choice(terminal):
    mdp, reward, rng = by_chance(5, discount=0.95, terminal=terminal)
    potential = rng.normal(0, 3, mdp.num_states) * ~mdp.terminal
    shaped = reward + mdp.discount * mdp.transition @ potential - potential[:, None]
    one, other = soft_values(mdp, reward), soft_values(mdp, shaped)
    assert other.policy == pytest.approx(one.policy)
    assert other.value[0] == pytest.approx(one.value[0] - potential)


@pytest.mark.parametrize("terminal", [(), (3,)])
def test_for_ever_is_the_limit_of_long_horizons_and_the_error_is_true(terminal):
    mdp, reward, _ = by_chance(6, discount=0.9, terminal=terminal)
    long, _, _ = by_chance(6, discount=0.9, terminal=terminal, horizon_steps=400)
    found, limit = soft_values(mdp, reward), soft_values(long, reward)
    assert np.abs(found.value[0] - limit.value[0]).max() <= found.error + 1e-12
    assert found.policy[0] == pytest.approx(limit.policy[0])
    assert visitation(mdp, found.policy) == pytest.approx(visitation(long, limit.policy))


def test_large_rewards_leave_the_best_choice_alone():
    found = soft_values(door(ends=True), 1e6 * GOING)
    assert found.policy[0, 0] == pytest.approx([0.5, 0.5]), "now and later bring the same"
    assert found.policy[1, 0] == pytest.approx([0, 1])


def test_where_nobody_comes_there_are_no_visits():
    mdp = door(ends=False, horizon_steps=None, discount=0.9)
    visits = visitation(mdp, np.array([[[1.0, 0.0], [0.5, 0.5]]]))
    assert visits == pytest.approx(np.array([[10, 0], [0, 0]]))


def test_what_stands_in_terminal_rows_does_not_matter():
    mdp, reward, _ = by_chance(7, horizon_steps=4, terminal=(2,))
    odd, strange = mdp.transition.copy(), reward.copy()
    odd[2], strange[2] = 7, np.nan
    other = FiniteMdp(
        transition=odd, start=mdp.start, terminal=mdp.terminal, discount=0.9, horizon_steps=4
    )
    assert np.array_equal(soft_values(mdp, reward).value, soft_values(other, strange).value)
    policy = soft_values(mdp, reward).policy
    assert np.array_equal(visitation(mdp, policy), visitation(other, policy))


def test_says_so_if_rounding_hides_the_answer():
    mdp, reward, _ = by_chance(8, discount=1 - 1e-9)
    with pytest.raises(ArithmeticError, match=r"give a horizon, or a larger tolerance"):
        soft_values(mdp, reward, tolerance=1e-15)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"transition": np.full((2, 2, 2), 0.4)}, "transition: chances must"),
        ({"transition": np.zeros((2, 2, 3))}, r"expected \[S, A, S\]"),
        ({"start": np.array([1.5, -0.5])}, "start: chances must"),
        ({"start": np.array([0.0, 1.0])}, "begins in a terminal state"),
        ({"terminal": np.array([0, 1])}, r"expected bool \[2\]"),
        ({"discount": 1.1}, r"in \[0, 1\]"),
        ({"horizon_steps": None}, "values may be infinite"),
        ({"horizon_steps": 0}, "at least 1"),
    ],
)
def test_a_task_that_is_none_is_refused(change, words):
    good = door(ends=True)
    parts = {name: getattr(good, name) for name in good.__slots__}
    with pytest.raises(ValueError, match=words):
        FiniteMdp(**{**parts, **change})


def test_a_reward_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"expected finite numbers \[2, 2\]"):
        soft_values(door(ends=False), np.zeros(2))
    with pytest.raises(ValueError, match="expected finite"):
        soft_values(door(ends=False), np.full((2, 2), np.inf))


def test_a_policy_of_many_times_is_refused_for_ever():
    mdp = door(ends=False, horizon_steps=None, discount=0.5)
    with pytest.raises(ValueError, match="expected one without a horizon"):
        visitation(mdp, np.full((3, 2, 2), 0.5))
