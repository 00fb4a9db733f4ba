"""`understudy doctor` as a person and a program meet it."""

from __future__ import annotations

import json

import pytest

from outside import answer, refusal, understudy

MODULE = """
import gymnasium
import numpy as np

class Torn(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 10, (1,))
    action_space = gymnasium.spaces.Discrete(2)
    metadata = {"render_modes": []}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.t += 1
        seen = np.nan if self.t == 3 else self.t
        return np.array([seen], np.float32), 1.0, self.t == 5, False, {}

gymnasium.register("Torn-v0", Torn)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("doctor")
    (place / "torn.py").write_text(MODULE)
    return place


def test_a_sound_environment_is_said_to_be_so(place):
    said = understudy("doctor", "Pendulum-v1", "--steps", 450, cwd=place).stdout
    assert "Pendulum-v1 keeps its contract" in said
    assert "450 steps by chance: 2 episodes of 200 steps" in said
    assert "0 terminated and 2 truncated; time limit 200" in said
    assert "8 slots would be kept by" in said
    assert "broken:" not in said


def test_a_broken_one_is_said_with_place_and_advice_and_another_exit_code(place):
    said = understudy("doctor", "torn:Torn-v0", "--quiet", cwd=place, code=1).stdout
    assert "broken: step raised EnvError: Torn-v0, slot 0, step 3, seed " in said
    assert "observation 'obs' is nan at [0]" in " ".join(said.split())
    assert "  -> mend what raised" in said
    assert "keeps its contract" not in said


def test_a_program_is_told_the_same(place):
    found = answer("doctor", "CartPole-v1", "--steps", 100, "--slots", 2, cwd=place)
    assert found["env"] == "CartPole-v1"
    assert found["sound"] is True
    assert found["broken"] == []
    assert found["facts"]["slots"] == 2
    said = understudy("doctor", "torn:Torn-v0", "--json", cwd=place, code=1).stdout
    (broken, *_) = json.loads(said)["broken"]
    assert set(broken) == {"says", "advice"}


def test_what_cannot_be_made_is_one_line(place):
    assert "Did you mean: `CartPole`?" in refusal("doctor", "CartPol-v1", cwd=place)
    assert "No module named 'nowhere'" in refusal("doctor", "nowhere:A-v0", cwd=place)
    assert "expected 1 or more" in refusal("doctor", "CartPole-v1", "--steps", "0", cwd=place)
