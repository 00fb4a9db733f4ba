"""What being alive is worth: by hand, and in a small world whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from understudy.data.episode import End
from understudy.data.subsample import Whole
from understudy.errors import DemoError
from understudy.rewards.alive import Alive, Count, alive_offset

LIMIT = 10.0


def offset(shown, lived, limit=LIMIT):
    return alive_offset(Count(*shown), Count(*lived), limit)


def test_whoever_lives_half_as_long_gains_log_two_by_living():
    # 100 steps a termination were shown, 50 lived; and the other way round.
    assert offset((1000, 10), (500, 10)) == pytest.approx(math.log(2))
    assert offset((500, 10), (1000, 10)) == pytest.approx(-math.log(2))
    assert offset((700, 7), (300, 3)) == 0


@pytest.mark.parametrize("lived", [(100, 5), (90_000, 5), (90_000, 0), (1, 0)])
def test_where_no_end_was_shown_living_is_worth_more_than_any_row_can_lose(lived):
    assert offset((500, 0), lived, limit=3) == 3


def test_a_policy_that_never_ended_is_not_asked_to_live():
    assert offset((100, 5), (9000, 0)) == pytest.approx(math.log(20 / 18_000))
    assert offset((100, 5), (1, 0)) == 0, "a policy that has only begun"


def test_where_nothing_is_known_being_alive_is_worth_nothing():
    assert offset((0, 0), (5, 1)) == offset((5, 1), (0, 0)) == offset((5, 0), (0, 0)) == 0


def test_the_offset_stays_within_its_limit():
    assert offset((10**9, 1), (1, 1), limit=3) == 3
    assert offset((1, 1), (10**9, 1), limit=3) == -3


WHOLES = [Whole(30, End.TERMINATED), Whole(50, End.TRUNCATED), Whole(20, End.OPEN)]


def test_time_limits_terminate_nothing():
    alive = Alive(WHOLES, 1000, LIMIT)
    assert alive.shown == Count(100, 1)
    alive.hear(50, 1)
    assert alive.offset == pytest.approx(math.log(2))


def test_what_a_policy_did_is_forgotten():
    alive = Alive(WHOLES, 100, LIMIT)
    alive.hear(200, 20)
    alive.hear(100, 0)
    # e^-1 of the first rows is left.
    assert alive.lived.steps == pytest.approx(200 / math.e + 100)
    assert alive.lived.ends == pytest.approx(20 / math.e)


def test_its_state_is_taken_over():
    one, other = (Alive(WHOLES, 100, LIMIT) for _ in range(2))
    one.hear(40, 3)
    other.load_state_dict(one.state_dict())
    assert (other.lived, other.offset) == (one.lived, one.offset)


def test_an_end_that_nobody_explained_is_refused():
    with pytest.raises(DemoError, match=r"1 of 4 demonstrations do not say .* offset=none"):
        Alive([*WHOLES, Whole(5, End.UNKNOWN)], 100, LIMIT)


# A world with a known answer: one state, in which one may stay or leave; leaving ends the episode.
# The demonstrator leaves with probability q, the policy with p. Among live rows a share of p is
# "leave", 1 - p is "stay"; an episode lasts 1/p steps.


def shares(p):
    """`[stay, leave]` among live rows, and steps per termination."""
    return np.array([1 - p, p]), 1 / p


@pytest.mark.parametrize("q", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.95])
def test_the_offset_stands_for_a_state_after_the_end(p, q):
    (lived, lived_length), (shown, shown_length) = shares(p), shares(q)
    f = np.log(shown / lived)
    c = offset((1000 * shown_length, 1000), (1000 * lived_length, 1000))
    # The same with one step in a state of its own after every episode, seen by a discriminator.
    rows_shown = np.array([*shown * shown_length, 1]) / (shown_length + 1)
    rows_lived = np.array([*lived * lived_length, 1]) / (lived_length + 1)
    *alive, after = np.log(rows_shown / rows_lived)
    np.testing.assert_allclose(f + c, np.array(alive) - after, atol=1e-12)


def preference(p, f, c, gamma=0.98):
    """How much more staying is worth than leaving to a policy that leaves with probability `p`.

    Nothing is earned after the end: Q(leave) = f_leave + c, Q(stay) = f_stay + c + gamma V.
    """
    stay, leave = f + c
    value = ((1 - p) * stay + p * leave) / (1 - gamma * (1 - p))
    return stay + gamma * value - leave


def better(p, q, sees_actions, with_offset):
    """Whether the policy is sent towards the demonstrator."""
    (lived, lived_length), (shown, shown_length) = shares(p), shares(q)
    f = np.log(shown / lived) if sees_actions else np.zeros(2)
    c = offset((1000 * shown_length, 1000), (1000 * lived_length, 1000)) if with_offset else 0
    return np.sign(preference(p, f, c)) == np.sign(p - q)


GRID = [(p, q) for p in (0.02, 0.1, 0.4, 0.8) for q in (0.03, 0.2, 0.5, 0.9)]


@pytest.mark.parametrize("sees_actions", [True, False], ids=["actions", "states"])
def test_with_it_every_policy_is_sent_towards_the_demonstrator(sees_actions):
    assert all(better(p, q, sees_actions, with_offset=True) for p, q in GRID)


def test_without_it_states_alone_do_not_say_when_to_end():
    assert not any(better(p, q, False, with_offset=False) for p, q in GRID)


@pytest.mark.parametrize(("sign", "wrong"), [(1, "leave"), (-1, "stay")])
def test_a_reward_of_one_sign_sends_half_of_them_the_wrong_way(sign, wrong):
    # What a discriminator that cannot tell states apart gives as -log(1 - D), or as log D.
    f = np.full(2, sign * math.log(2))
    sent = {(p, q): np.sign(preference(p, f, 0)) == np.sign(p - q) for p, q in GRID}
    misled = {("leave" if p < q else "stay") for (p, q), right in sent.items() if not right}
    assert misled == {wrong}


@pytest.mark.parametrize("p", [0.001, 0.1, 0.9])
def test_whoever_is_shown_to_stay_for_good_stays_whatever_rows_look_like(p):
    c = offset((500, 0), (1000 / p, 1000), limit=3)
    # Leaving was never shown, so its log ratio is the least there is.
    assert all(preference(p, np.array([f, -3.0]), c) > 0 for f in (-2.99, 0.0, 3.0))


@pytest.mark.parametrize("p", [0.02, 0.98])
@pytest.mark.parametrize("q", [0.05, 0.7])
def test_following_it_ends_at_the_demonstrator(p, q):
    logit = math.log(p / (1 - p))
    for _ in range(2000):
        p = 1 / (1 + math.exp(-logit))
        c = offset((1000 / q, 1000), (1000 / p, 1000))
        logit -= 0.05 * preference(p, np.zeros(2), c)
    assert p == pytest.approx(q, rel=1e-3)
