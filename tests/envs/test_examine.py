"""Every kind of odd or broken environment is found out, with what to do about it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strange import Count, Drifting, Rich, gs
from understudy.envs.examine import examine
from understudy.errors import EnvError

BOX = gs.Box(-1e6, 1e6, (3,), np.float32)


def test_a_sound_environment_has_no_findings_and_its_facts_are_counted():
    found = examine(Count, steps=400)
    assert found.broken == []
    assert found.doubtful == []
    facts = found.facts
    assert facts["spec"] == "sees obs vector 3; does choices 4"
    # Three to six steps each, 4.5 on average.
    assert 80 < facts["episodes"] < 100
    assert abs(facts["mean_length"] - 4.5) < 0.4
    assert facts["terminated"] == facts["episodes"]
    assert facts["truncated"] == 0
    assert facts["time_limit"] is None
    # A choice of four is rewarded with its number.
    assert (facts["reward_min"], facts["reward_max"]) == (0, 3)
    assert abs(facts["reward_mean"] - 1.5) < 0.2
    assert facts["observations"]["obs"]["max"] <= 18
    assert facts["begins_alike"] is False
    assert facts["picture"] == [4, 6, 3]
    assert facts["workers"] == 0
    assert 0 < facts["step_ms"] < 0.2 * 1000


@pytest.mark.parametrize("source", [Rich, "Blackjack-v1"])
def test_nested_and_masked_environments_are_examined(source):
    assert examine(source, steps=50).broken == []


def test_what_cannot_be_made_is_an_error():
    with pytest.raises(EnvError, match="Did you mean"):
        examine("Cart-v1")


class Aliased(Count):
    """Counts the steps of all there are, together."""

    total = 0

    def reset(self, **options: Any) -> Any:
        Aliased.total = 0
        return super().reset(**options)

    def step(self, action: Any) -> Any:
        Aliased.total += 1
        return super().step(action)

    def seen(self) -> Any:
        return np.array([self.t, Aliased.total, self.start], np.float32)


class Endless(Count):
    def step(self, action: Any) -> Any:
        obs, _, _, _, info = super().step(action)
        return obs, 0.0, False, False, info


class Limited(Count):
    def step(self, action: Any) -> Any:
        obs, reward, _, _, info = super().step(action)
        return obs, 1e4 * reward, self.t == 4, False, info


class Free(Count):
    def __init__(self, render_mode: Any = None) -> None:
        super().__init__(render_mode)
        self.action_space = gs.Box(-np.inf, np.inf, (2,), np.float32)

    def step(self, action: Any) -> Any:
        return super().step(0)


class Fragile(Count):
    def __init__(self, render_mode: Any = None) -> None:
        super().__init__(render_mode)
        self.action_space = gs.Box(-1, 1, (1,), np.float32)

    def step(self, action: Any) -> Any:
        if action[0] == 1:
            raise ValueError("too far")
        return super().step(0)


class Wide(Count):
    """Leaves its space, in another dtype, and varies much in one number and little in another."""

    def __init__(self, render_mode: Any = None) -> None:
        super().__init__(render_mode)
        self.observation_space = gs.Box(0, 2, (3,), np.float32)

    def seen(self) -> Any:
        return np.array([self.t * 1000.0, 1.0, self.t * 1e-4])


class Unseen(Count):
    def render(self) -> Any:
        return None


class Alike(Count):
    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.start = 0
        return self.seen(), {}


class Film(Count):
    def __init__(self, render_mode: Any = None) -> None:
        super().__init__(render_mode)
        self.observation_space = gs.Box(0, 1, (16, 16, 3), np.float32)

    def seen(self) -> Any:
        return np.full((16, 16, 3), self.t / 6, np.float32)


@pytest.mark.parametrize(
    ("source", "says", "advice"),
    [
        (Drifting, "not determined by the seed", "super().reset(seed=seed)"),
        (Aliased, "another one lives beside it", "no class attributes"),
        (Fragile, "fails when every action is at its high bound: ", "narrow the action space"),
        (lambda: Count(wrong="obs"), "observation 'obs' is nan at [1]", "mend what raised"),
        (lambda: Count(wrong="error"), "KeyError: 'door'", "mend what raised"),
    ],
)
def test_what_breaks_the_contract_is_found(source, says, advice):
    found = examine(source, steps=60)
    assert any(says in f.says and advice in f.advice for f in found.broken), found
    assert "workers" not in found.facts


@pytest.mark.parametrize(
    ("source", "says", "advice"),
    [
        (Endless, "no episode ended in 60 steps by chance; there is no time limit", "TimeLimit"),
        (Endless, "no reward was received in 60 steps", "demonstrations"),
        (Limited, "episodes terminated after exactly 4 steps", "truncated=True"),
        (Limited, "rewards reach from 0 to 3e+04", "TransformReward"),
        (Free, "2 of 2 continuous actions have no bounds", "finite bounds"),
        (Wide, "observation 'obs' is float64, its space says float32 (", "observation_space"),
        (Wide, "'obs' leaves its space above its bounds (", "observation_space"),
        (Wide, "2 of 3 numbers of observation 'obs' vary by more than 100", "net.normalize=true"),
        (Unseen, "makes no picture: nothing", "[height, width, 3]"),
        (Film, "image 'obs' is float32, which takes 4 times", "uint8"),
    ],
)
def test_what_is_doubtful_is_found_and_breaks_nothing(source, says, advice):
    found = examine(source, steps=60)
    assert found.broken == []
    assert any(says in f.says and advice in f.advice for f in found.doubtful), found


def test_starts_that_never_differ_are_told():
    assert examine(Alike, steps=60).facts["begins_alike"] is True


def test_a_constant_is_counted_and_is_no_doubt():
    found = examine(Wide, steps=60)
    assert found.facts["observations"]["obs"]["constant"] == 1
