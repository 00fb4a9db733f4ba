"""From keys to actions, by lists of events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from listed import down, tap, up
from understudy.data.spec import ActionSpec
from understudy.human.hands import Event, Hands
from understudy.human.keys import Command, KeyTable, default_table


def hands(spec, step_seconds=0.1, **changes):
    return Hands(spec, replace(default_table(spec), **changes), step_seconds)


def choices(held, *waits):
    """What is chosen in every step, between which these events happen."""
    chosen = []
    for events in waits:
        for event in events:
            assert held.hear(event) is None
        chosen.append(held.act().discrete.tolist())
    return chosen


def numbers(held, *waits):
    moved = []
    for events in waits:
        for event in events:
            assert held.hear(event) is None
        moved.append(held.act().continuous.tolist())
    return np.array(moved).round(6).tolist()


def test_the_key_that_was_pressed_last_chooses_and_the_other_follows_it():
    four = hands(ActionSpec(branches=(4,)))
    waits = ([down("left")], [down("right")], [], [up("right")], [up("left")])
    assert choices(four, *waits) == [[1], [3], [3], [1], [0]]


def test_a_tap_between_two_steps_counts_for_one():
    four = hands(ActionSpec(branches=(4,)))
    assert choices(four, tap("up"), [], [*tap("up"), *tap("left")], []) == [[2], [0], [1], [0]]


def test_two_choices_alone_keep_the_last_one():
    two = hands(ActionSpec(branches=(2,)))
    assert choices(two, [], tap("right"), [], tap("left"), []) == [[0], [1], [1], [0], [0]]
    two.hear(down("right"))
    two.act()
    two.rest()
    two.hear(up("right"))
    assert choices(two, []) == [[0]]


def test_branches_are_chosen_side_by_side():
    several = hands(ActionSpec(branches=(3, 2)))
    # up and down are choices 1 and 2 of branch 0, right is choice 1 of branch 1.
    waits = ([down("up"), down("right")], [up("up"), down("down")], [up("right")], [up("down")])
    assert choices(several, *waits) == [[1, 1], [2, 1], [2, 0], [0, 0]]


def test_a_number_moves_at_a_fixed_rate_and_comes_back():
    # Range 4, 0.4 s from end to end, 0.1 s a step: 1 in every step.
    steer = hands(ActionSpec(continuous=1, low=(-2,), high=(2,)), ramp_seconds=0.4)
    waits = ([down("right")], [], [], [up("right")], [down("left")], [], [], [up("left")])
    assert numbers(steer, *waits) == [[1], [2], [2], [1], [0], [-1], [-2], [-1]]


def test_without_a_ramp_a_number_jumps():
    steer = hands(ActionSpec(continuous=1, low=(-2,), high=(2,)), ramp_seconds=0.0)
    assert numbers(steer, [down("right")], [up("right")]) == [[2], [0]]


def test_a_number_rests_as_near_to_zero_as_it_may():
    throttle = hands(ActionSpec(continuous=2, low=(1, -9), high=(3, -4)), ramp_seconds=0.0)
    waits = ([], [down("right")], [up("right"), down("down")])
    assert numbers(throttle, *waits) == [[1, -4], [3, -4], [1, -9]]


def test_a_stick_reaches_from_rest_to_the_ends_beyond_its_dead_zone():
    spec = ActionSpec(continuous=2, low=(-2, 0), high=(2, 10))
    stick = hands(spec, ramp_seconds=0.0)
    waits = (
        [Event("axis", "pad axis 0", 0.1)],
        [Event("axis", "pad axis 0", 1.0)],
        # (0.575 - 0.15) / 0.85 = 0.5 of the way to -2.
        [Event("axis", "pad axis 0", -0.575)],
        # Forwards is -1 on a stick, and up on the screen.
        [Event("axis", "pad axis 0", 0.0), Event("axis", "pad axis 1", -1.0)],
    )
    assert numbers(stick, *waits) == [[0, 0], [2, 0], [-1, 0], [0, 10]]


def test_a_stick_that_is_pushed_half_way_is_a_key():
    spec = ActionSpec(branches=(3,))
    table = KeyTable(keys={"pad axis 0 -": default_table(spec).keys["left"]}, idle=(1,))
    stick = Hands(spec, table, 0.1)
    waits = [[Event("axis", "pad axis 0", value)] for value in (-0.4, -0.6, -0.9, -0.2)]
    assert choices(stick, *waits) == [[1], [0], [0], [1]]


def test_commands_are_heard_and_do_not_act():
    four = hands(ActionSpec(branches=(4,)))
    assert four.hear(down("space")) is Command.PAUSE
    assert four.hear(up("space")) is None
    assert four.hear(Event("closed")) is Command.QUIT
    assert four.hear(down("f13")) is None
    assert not four.engaged
    assert choices(four, []) == [[0]]


def test_somebody_is_engaged_while_a_key_is_held_or_was_tapped():
    four = hands(ActionSpec(branches=(4,)))
    # Choice 0 is an action too when its key is held.
    four.hear(down("down"))
    assert four.engaged
    four.hear(up("down"))
    assert four.engaged
    four.act()
    assert not four.engaged
    steer = hands(ActionSpec(continuous=1, low=(-1,), high=(1,)))
    steer.hear(Event("axis", "pad axis 0", 0.1))
    assert not steer.engaged
    steer.hear(Event("axis", "pad axis 0", 0.2))
    assert steer.engaged


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_actions_have_the_dtype_and_the_bounds_of_the_environment(dtype):
    spec = ActionSpec(continuous=1, low=(-0.3,), high=(0.1,), branches=(2,), dtype=dtype)
    both = hands(spec, ramp_seconds=0.0)
    both.hear(down("right"))
    action = both.act()
    assert action.continuous.dtype == dtype
    assert action.discrete.dtype == np.int64
    assert action.continuous[0] <= np.array(0.1, dtype)
