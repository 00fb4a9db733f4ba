"""An expert that is a function."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Tuple

from understudy.data.spaces import codecs_of, spec_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import EnvError
from understudy.run.saying import Saying

FRESH = np.zeros(2, bool)


def test_a_function_is_asked_in_the_words_of_the_spaces():
    seen = Dict({"where": Box(-1, 1, (2,)), "which": Discrete(3)})
    done = Tuple((Box(-2, 2, (1,)), MultiDiscrete([3, 4])))
    spec = spec_of(seen, done)
    values = [seen.sample() for _ in range(2)]
    asked = []

    def say(obs):
        asked.append(obs)
        return np.array([0.5], np.float32), np.array([2, 3])

    expert = Saying(say, spec)
    action, _ = expert.act(codecs_of(spec)[0].encode_many(values), {}, FRESH)
    assert all(seen.contains(obs) for obs in asked)
    assert [obs["which"] for obs in asked] == [value["which"] for value in values]
    assert action.continuous.tolist() == [[0.5], [0.5]]
    assert action.discrete.tolist() == [[2, 3], [2, 3]]
    assert expert.spoke.all()


def test_none_is_to_say_nothing():
    expert = Saying(lambda obs: 1 if obs[0] > 0 else None, spec_of(Box(-1, 1, (1,)), Discrete(2)))
    action, _ = expert.act({"obs": np.array([[0.5], [-0.5]], np.float32)}, {}, FRESH)
    assert expert.spoke.tolist() == [True, False]
    assert action.discrete[0] == 1


def test_an_action_that_is_none_of_the_space_names_the_function():
    def wild(obs):
        return 7

    expert = Saying(wild, spec_of(Box(-1, 1, (1,)), Discrete(2)))
    with pytest.raises(EnvError, match=r"the expert .*wild: .*7"):
        expert.act({"obs": np.zeros((2, 1), np.float32)}, {}, FRESH)


def test_a_function_needs_spaces_to_speak_in():
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(1,))}, action=ActionSpec(branches=(2,)))
    with pytest.raises(EnvError, match="give an actor instead"):
        Saying(lambda obs: 0, spec)
