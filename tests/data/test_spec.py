"""What one behavior sees and does."""

import copy
import json
import math
import pickle

import pytest

from understudy.data.spec import ActionSpec, Obs, Spec, present


def spec(**changes):
    return Spec(
        obs={
            "ray": Obs(kind="vector", shape=(2, 3)),
            "eye": Obs(kind="image", shape=(3, 8, 8), dtype="uint8", channels_first=True),
            "foes": Obs(kind="entities", shape=(5, 4)),
            "goal": Obs(kind="vector", shape=(), goal=True),
            "mask": Obs(kind="mask", shape=(5,), dtype="bool"),
        },
        action=ActionSpec(continuous=2, low=(-1, -math.inf), high=(1, 7), branches=(3, 2)),
        **changes,
    )


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Obs(kind="smell", shape=(1,)), "kind is 'smell', expected one of vector, image"),  # type: ignore[arg-type]
        (lambda: Obs(kind="vector", shape=(-1,)), "negative size"),
        (lambda: Obs(kind="image", shape=(8, 8)), "image: expected 3 dimensions"),
        (lambda: Obs(kind="entities", shape=(8,)), "entities: expected 2 dimensions"),
        (lambda: Obs(kind="mask", shape=(2, 2)), "mask: expected 1 dimensions"),
        (lambda: ActionSpec(continuous=2, low=(0,)), "2 continuous actions with 1 low and 2 high"),
        (lambda: ActionSpec(continuous=1, low=(2,), high=(1,)), "not below high"),
        (lambda: ActionSpec(continuous=1, low=(math.nan,), high=(1,)), "not below high"),
        (lambda: ActionSpec(branches=(3, 0)), "every branch needs a choice"),
        (
            lambda: Spec(obs={"m": Obs(kind="mask", shape=(2,))}, action=ActionSpec(branches=(3,))),
            "mask 'm' has 2 entries",
        ),
        (
            lambda: Spec(
                obs={n: Obs(kind="mask", shape=(3,)) for n in "mn"},
                action=ActionSpec(branches=(3,)),
            ),
            "more than one mask: m, n",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(made, message):
    with pytest.raises(ValueError, match=message):
        made()


def test_bounds_are_infinite_unless_given():
    action = ActionSpec(continuous=2)
    assert action.low == (-math.inf,) * 2
    assert action.high == (math.inf,) * 2
    assert not action.bounded
    assert ActionSpec(continuous=1, low=(-1,), high=(1,)).bounded
    assert ActionSpec(branches=(2,)).bounded
    assert not spec().action.bounded


def test_a_spec_of_everything_survives_json():
    before = spec(observation_space='{"a": 1}')
    after = Spec.from_json(json.loads(json.dumps(before.to_json(), allow_nan=False)))
    assert after == before
    assert hash(after) == hash(before)
    assert after.action.low == (-1.0, -math.inf)
    assert after.obs["eye"].channels_first
    assert after.obs["goal"].goal


def test_a_spec_can_be_sent_to_another_process():
    assert pickle.loads(pickle.dumps(spec())) == spec()
    assert copy.deepcopy(spec()) == spec()


def test_observations_cannot_be_changed_afterwards():
    with pytest.raises(TypeError):
        spec().obs["more"] = Obs(kind="vector", shape=(1,))  # type: ignore[index]
    names = {"a": Obs(kind="vector", shape=(1,))}
    made = Spec(obs=names)
    names["b"] = names["a"]
    assert list(made.obs) == ["a"]


def test_entities_have_a_second_array_that_says_who_is_there():
    fields = spec().fields
    assert list(fields) == ["ray", "eye", "foes", present("foes"), "goal", "mask"]
    assert fields["foes"].shape == (5, 4)
    assert fields["foes.present"].shape == (5,)
    assert fields["foes.present"].dtype == bool
    assert fields["goal"].shape == ()
    assert spec().obs["ray"].size == 6
    assert spec().obs["goal"].size == 1


def test_a_spec_differs_from_one_that_sees_or_does_something_else():
    def vector(*shape, **more):
        return Obs(kind="vector", shape=shape, **more)

    def image(**more):
        return Obs(kind="image", shape=(4, 4, 4), **more)

    a = Spec(obs={"x": vector(3)}, action=ActionSpec(continuous=2))
    same = Spec(
        obs={"x": vector(3, dtype="float64")},
        action=ActionSpec(continuous=2, low=(-1, -1), high=(1, 1)),
    )
    assert a.difference(same) is None
    cases = {
        "observation 'x' is missing there": Spec(obs={}, action=a.action),
        "observation 'y' is only there": Spec(obs={**a.obs, "y": vector(1)}, action=a.action),
        "observation 'x' is vector [3] here and vector [4] there": Spec(obs={"x": vector(4)}),
        "2 continuous actions here and 0 there": Spec(obs=a.obs),
        "action branches [] here and [2] there": Spec(
            obs=a.obs, action=ActionSpec(continuous=2, branches=(2,))
        ),
    }
    for message, other in cases.items():
        assert a.difference(other) == message
    for other in (image(dtype="uint8"), image(channels_first=True)):
        one, two = Spec(obs={"eye": image()}), Spec(obs={"eye": other})
        assert one.difference(one) is None
        assert str(one.difference(two)).startswith("image 'eye' is float32, channels last here and")


def test_a_spec_is_described_in_a_line():
    assert spec().describe() == (
        "sees ray vector 2x3, eye image 3x8x8 uint8, foes entities 5x4, goal vector 1, "
        "mask mask 5 bool; does 2 continuous and choices 3 x 2"
    )
    assert Spec(obs={}).describe() == "sees ; does nothing"
