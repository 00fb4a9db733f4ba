from __future__ import annotations

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from understudy.data.action import Action
from understudy.data.arrays import MISSING, from_arrays
from understudy.data.episode import ActedBy, End
from understudy.data.spaces import spec_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError

HYBRID = Spec(
    obs={"place": Obs(kind="vector", shape=(2,)), "lamp": Obs(kind="vector", shape=(1,))},
    action=ActionSpec(continuous=1, branches=(3,)),
)


def test_arrays_speak_for_themselves() -> None:
    obs = [np.arange(8, dtype=np.float32).reshape(4, 2), np.ones((3, 2), np.float32)]
    demos = from_arrays(obs, [np.array([0, 2, 1]), np.array([1, 1])], [np.ones(3), np.zeros(2)])
    assert demos.spec.describe() == "sees obs vector 2; does choices 3"
    first, second = demos
    assert np.array_equal(first.obs["obs"], obs[0])
    assert first.action.discrete.tolist() == [[0], [2], [1]]
    assert second.return_ == 0
    assert first.return_ == 3
    assert first.end is End.UNKNOWN
    assert "number of choices" in demos.provenance.notes[0]


def test_a_missing_last_observation_is_said() -> None:
    demos = from_arrays([np.arange(3.0)[:, None]], [np.zeros((3, 1))], ends="truncated")
    (episode,) = demos
    assert episode.obs["obs"].ravel().tolist() == [0, 1, 2, 2]
    assert not episode.final_obs_known
    assert episode.truncated
    assert demos.provenance.notes == (MISSING,)
    assert np.isnan(episode.return_)


def test_values_of_gymnasium_spaces_are_read_by_their_spec() -> None:
    spec = spec_of(Box(-1, 1, (2,)), Discrete(3, start=5))
    demos = from_arrays([np.zeros((3, 2))], [np.array([5, 7])], spec=spec)
    assert demos.episodes[0].action.discrete.tolist() == [[0], [2]]


def test_named_observations_and_mixed_actions_are_read_by_their_spec() -> None:
    obs = {"place": np.zeros((3, 2)), "lamp": np.ones((3, 1), np.float32)}
    action = Action(np.array([[0.5], [1.0]]), np.array([[2], [0]]))
    demos = from_arrays([obs], [action], spec=HYBRID, ends=[End.OPEN], acted_by=ActedBy.HUMAN)
    (episode,) = demos
    assert episode.obs["place"].dtype == np.float32
    assert episode.action.continuous.tolist() == [[0.5], [1.0]]
    assert episode.end is End.OPEN
    assert episode.acted_by.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"obs": [np.zeros((5, 2))]}, "episode 0: 5 observations and 2 actions; expected 3"),
        ({"actions": [np.zeros(2, int)] * 2}, "obs: 1 episodes, but 2 of actions"),
        ({"obs": [], "actions": []}, "no episode was given"),
        ({"rewards": [np.zeros(1)]}, "reward is float64 [1], expected float64 [2]"),
        ({"ends": "won"}, "episode 0: end 'won'; expected one of terminated, truncated"),
        ({"obs": [{"a": np.zeros((3, 2))}]}, "do not say what they are: give spec="),
        ({"actions": [np.full(2, -1)]}, "actions holds choices -1 to 0"),
        ({"obs": [np.full((3, 2), np.nan)]}, "observation 'obs' is nan at step 0"),
        (
            {"obs": [np.zeros((3, 2))] * 2, "actions": [np.zeros((2, 1)), np.zeros((2, 2))]},
            "actions: the episodes do not fit together",
        ),
        ({"obs": [{"place": np.zeros((3, 2))}], "spec": HYBRID}, "'lamp' of the spec is missing"),
        (
            {
                "obs": [{"place": np.zeros((3, 2)), "lamp": np.zeros((3, 1))}],
                "spec": HYBRID,
            },
            "the spec has numbers and choices",
        ),
        (
            {"obs": [{"obs": np.zeros((3, 2)), "x": np.zeros(3)}], "spec": from_arrays(
                [np.zeros((1, 2))], [np.zeros(0, int)]).spec},
            "observation 'x' is not in the spec: obs",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(change: dict[str, object], says: str) -> None:
    given = {"obs": [np.zeros((3, 2))], "actions": [np.zeros(2, int)], **change}
    with pytest.raises(DemoError) as caught:
        from_arrays(**given)  # type: ignore[arg-type]
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
