"""Every space, its samples and its description come back as they were."""

import json
import subprocess
import sys
from typing import Any

import gymnasium.spaces
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.data.action import Action
from understudy.data.action_codec import ActionCodec
from understudy.data.obs_codec import ObsCodec
from understudy.data.spaces import (
    build_space,
    codecs_of,
    describe_space,
    space_from_json,
    space_to_json,
    spec_of,
)
from understudy.data.spec import Obs, Spec
from understudy.errors import EnvError

gs: Any = gymnasium.spaces
RAGGED = gs.Box(
    np.array([-1.0, -np.inf, 0.0], np.float32), np.array([1.0, 2.0, np.inf], np.float32)
)
BINARY = gs.MultiBinary([2, 3])
LEAVES = [
    gs.Box(-1, 1, (4,)),
    gs.Box(-np.inf, np.inf, (3, 2), dtype=np.float64),
    gs.Box(0, 1, (), dtype=np.float32),
    gs.Box(0, 1, (2,), dtype=np.float16),
    gs.Box(0, 1, (0,)),
    gs.Box(0, 1, (0, 3)),
    gs.Box(-5, 5, (3,), dtype=np.int64),
    gs.Box(-128, 127, (3,), dtype=np.int8),
    gs.Box(0, 255, (128,), dtype=np.uint8),
    gs.Box(0, 1, (3,), dtype=bool),
    gs.Box(-np.inf, np.inf, (2,), dtype=np.int32),
    RAGGED,
    gs.Discrete(1),
    gs.Discrete(5),
    gs.Discrete(3, start=-2),
    gs.Discrete(3, start=7, dtype=np.uint8),
    gs.MultiDiscrete([3, 2, 4]),
    gs.MultiDiscrete([[3, 2], [4, 1]], start=[[0, -1], [5, 2]]),
    gs.MultiDiscrete([3, 2], dtype=np.int32),
    gs.MultiBinary(4),
    BINARY,
]
PICTURES = [
    gs.Box(0, 255, (12, 16, 3), dtype=np.uint8),
    gs.Box(0, 255, (3, 12, 16), dtype=np.uint8),
    gs.Box(0, 255, (4, 84, 84), dtype=np.uint8),
    gs.Box(0, 255, (20, 18), dtype=np.uint8),
    gs.Box(0, 1, (10, 10, 4), dtype=bool),
    gs.Box(0, 1, (10, 12, 3)),
    gs.Box(0, 255, (4, 12, 16, 3), dtype=np.uint8),
    gs.Box(0, 255, (4, 3, 12, 16), dtype=np.uint8),
]
LISTS = [
    gs.Sequence(leaf, stack=stack)
    for leaf in (LEAVES[0], LEAVES[1], LEAVES[2], LEAVES[14], LEAVES[17], BINARY)
    for stack in (False, True)
]
MASKED = gs.Dict(units=gs.Box(-1, 1, (5, 3)), mask=gs.MultiBinary(5))
NESTS = [
    gs.Tuple([LEAVES[0], LEAVES[13]]),
    gs.Tuple([]),
    gs.Dict(z=LEAVES[0], a=gs.Dict(b=LEAVES[13], c=gs.Tuple([BINARY, PICTURES[0]]))),
    gs.Dict([("z", LEAVES[0]), ("a", LEAVES[13])]),
    gs.Dict({0: LEAVES[0], 1: LEAVES[13]}),
    gs.Dict(me=LEAVES[0], others=LISTS[0], more=gs.Tuple([LISTS[5]])),
    MASKED,
    gs.Dict(me=LEAVES[0], them=MASKED),
    gs.Dict(rows=gs.Box(0, 9, (4, 2), dtype=np.int16), present=gs.Box(0, 1, (4,), dtype=np.int8)),
    gs.Dict(achieved_goal=LEAVES[0], desired_goal=LEAVES[0], observation=LEAVES[1]),
]
SEEN = [*LEAVES, *PICTURES, *LISTS, *NESTS]
DONE = [
    *(space for space in LEAVES if space not in (LEAVES[10],)),
    *NESTS[:5],
    gs.Dict(move=gs.Box(-1, 1, (2,)), turn=gs.Box(-2, 2, (), dtype=np.float64), act=gs.Discrete(4)),
]


def same(a, b):
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    return (
        isinstance(b, np.ndarray | np.generic)
        and np.asarray(a).dtype == b.dtype
        and np.asarray(a).shape == b.shape
        and np.array_equal(a, b)
    )


@pytest.mark.parametrize("space", SEEN, ids=str)
def test_observations_come_back_exactly(space):
    space.seed(3)
    codec = ObsCodec(space, max_entities=64)
    values = [space.sample() for _ in range(20)]
    spec = Spec(obs=codec.obs)
    assert spec.fields == codec.fields
    for value in values:
        tree = codec.encode(value)
        assert {k: (v.shape, v.dtype) for k, v in tree.items()} == dict(spec.fields)
        assert same(value, codec.decode(tree))
    if codec.obs:
        assert all(map(same, values, codec.decode_many(codec.encode_many(values))))


@pytest.mark.parametrize("space", DONE, ids=str)
def test_actions_come_back_exactly(space):
    space.seed(3)
    codec = ActionCodec(space)
    values = [space.sample() for _ in range(20)]
    actions = codec.encode_many(values)
    assert actions.continuous.shape == (20, codec.spec.continuous)
    assert actions.discrete.shape == (20, len(codec.spec.branches))
    fitted = codec.fit(actions)
    assert np.array_equal(fitted.continuous, actions.continuous)
    assert np.array_equal(fitted.discrete, actions.discrete)
    assert all(map(same, values, codec.decode_many(fitted)))
    assert all(map(same, values, codec.decode_batch(fitted)))
    assert same(values[0], codec.decode(actions.at(0)))
    assert all(value in space for value in codec.decode_many(fitted))


@pytest.mark.parametrize("space", SEEN, ids=str)
def test_description_builds_the_same_space(space):
    text = space_to_json(space)
    again = space_from_json(text)
    assert again == space
    assert space_to_json(again) == text


def test_uniform_bounds_are_described_by_one_number():
    text = space_to_json(gs.Box(0, 255, (210, 160, 3), dtype=np.uint8))
    assert json.loads(text)["high"] == 255
    assert len(text) < 100


def test_infinite_bounds_are_json():
    described = describe_space(RAGGED)
    assert described["low"] == [-1.0, "-inf", 0.0]
    assert described["high"] == [1.0, 2.0, "inf"]
    assert np.array_equal(build_space(described).bounded_below, RAGGED.bounded_below)


def test_unbounded_integers_stay_unbounded():
    box = gs.Box(-np.inf, np.inf, (2,), dtype=np.int64)
    again = build_space(describe_space(box))
    assert not again.bounded_below.any()
    assert not again.bounded_above.any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_nests_come_back_exactly(data):
    leaf = st.sampled_from([*LEAVES, *LISTS[:4], PICTURES[3]])
    nests = st.recursive(
        leaf,
        lambda part: (
            st.lists(part, min_size=1, max_size=3).map(gs.Tuple)
            | st.dictionaries(st.sampled_from("abcd"), part, min_size=1, max_size=3).map(gs.Dict)
        ),
        max_leaves=6,
    )
    space = data.draw(nests)
    space.seed(data.draw(st.integers(0, 1000)))
    codec, value = ObsCodec(space, 64), space.sample()
    assert same(value, codec.decode(codec.encode(value)))
    assert space_from_json(space_to_json(space)) == space


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_nests_of_actions_come_back_exactly(data):
    leaf = st.sampled_from([space for space in LEAVES if space is not LEAVES[10]])
    nests = st.recursive(
        leaf,
        lambda part: (
            st.lists(part, max_size=3).map(gs.Tuple)
            | st.dictionaries(st.sampled_from("abcd"), part, max_size=3).map(gs.Dict)
        ),
        max_leaves=6,
    )
    space = data.draw(nests)
    space.seed(data.draw(st.integers(0, 1000)))
    codec, values = ActionCodec(space), [space.sample() for _ in range(3)]
    actions = codec.fit(codec.encode_many(values))
    assert all(map(same, values, codec.decode_many(actions)))


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (LEAVES[0], {"obs": Obs(kind="vector", shape=(4,))}),
        (LEAVES[8], {"obs": Obs(kind="vector", shape=(128,), dtype="uint8")}),
        (PICTURES[0], {"obs": Obs(kind="image", shape=(12, 16, 3), dtype="uint8")}),
        (
            PICTURES[1],
            {"obs": Obs(kind="image", shape=(3, 12, 16), dtype="uint8", channels_first=True)},
        ),
        (PICTURES[3], {"obs": Obs(kind="image", shape=(20, 18, 1), dtype="uint8")}),
        (PICTURES[6], {"obs": Obs(kind="image", shape=(12, 16, 12), dtype="uint8")}),
        (gs.Discrete(5, start=3), {"obs": Obs(kind="vector", shape=(5,), dtype="uint8")}),
        (gs.Sequence(gs.Box(0, 1, (2, 2))), {"obs": Obs(kind="entities", shape=(32, 4))}),
        (MASKED, {"units": Obs(kind="entities", shape=(5, 3))}),
        (
            NESTS[2],
            {
                "a/b": Obs(kind="vector", shape=(5,), dtype="uint8"),
                "a/c/0": Obs(kind="vector", shape=(2, 3), dtype="int8"),
                "a/c/1": Obs(kind="image", shape=(12, 16, 3), dtype="uint8"),
                "z": Obs(kind="vector", shape=(4,)),
            },
        ),
        (
            NESTS[9],
            {
                "achieved_goal": Obs(kind="vector", shape=(4,)),
                "desired_goal": Obs(kind="vector", shape=(4,), goal=True),
                "observation": Obs(kind="vector", shape=(3, 2), dtype="float64"),
            },
        ),
    ],
    ids=str,
)
def test_spaces_become_what_the_table_says(space, expected):
    assert ObsCodec(space).obs == expected


def test_frames_are_stacked_in_the_channels_one_after_the_other():
    value = PICTURES[6].sample()
    assert np.array_equal(
        ObsCodec(PICTURES[6]).encode(value)["obs"], np.concatenate(list(value), axis=-1)
    )


@pytest.mark.parametrize(
    "mask",
    [gs.MultiBinary(5), gs.Box(0, 1, (5,), dtype=np.int8), gs.Box(0, 1, (5,))],
    ids=str,
)
def test_action_mask_is_a_mask_where_its_size_fits(mask):
    space = gs.Dict({"observation": LEAVES[0], "action_mask": mask})
    spec = spec_of(space, gs.MultiDiscrete([3, 2]))
    assert spec.masks == ("action_mask",)
    assert spec_of(space, gs.Discrete(4)).masks == ()
    codec, _ = codecs_of(spec)
    value = {
        "action_mask": np.array([1, 0, 1, 1, 0], mask.dtype),
        "observation": np.zeros(4, np.float32),
    }
    tree = codec.encode(value)
    assert tree["action_mask"].tolist() == [True, False, True, True, False]
    assert same(value, codec.decode(tree))


def test_hybrid_action_concatenates_numbers_and_branches():
    space = gs.Tuple(
        [gs.Box(-1, 1, (2,)), gs.Discrete(3), gs.Dict(x=gs.Box(0, 4, (1,)), y=gs.MultiBinary(2))]
    )
    spec = ActionCodec(space).spec
    assert (spec.continuous, spec.low, spec.high) == (3, (-1, -1, 0), (1, 1, 4))
    assert spec.branches == (3, 2, 2)


def test_codecs_of_a_spec_that_was_saved_find_its_rooms():
    space = gs.Dict(me=LEAVES[0], list=gs.Sequence(LEAVES[0]), them=MASKED)
    spec = spec_of(space, gs.Discrete(3), max_entities=9)
    codec, actions = codecs_of(Spec.from_json(json.loads(json.dumps(spec.to_json()))))
    assert codec.obs == dict(spec.obs)
    assert actions.spec == spec.action


def test_rows_written_again_forget_longer_lists():
    codec = ObsCodec(gs.Sequence(gs.Box(-1, 1, (2,))), 4)
    rows = codec.encode_many([tuple(np.ones((3, 2), np.float32))])
    codec.encode_into((np.ones(2, np.float32),), rows, 0)
    assert rows["obs.present"][0].tolist() == [True, False, False, False]
    assert rows["obs"][0].sum() == 2


def test_stacked_observations_are_encoded_like_single_ones():
    for space in (LEAVES[0], NESTS[2]):
        values = [space.sample() for _ in range(3)]
        codec = ObsCodec(space)
        from gymnasium.vector.utils import batch_space, concatenate, create_empty_array

        batch = concatenate(space, values, create_empty_array(space, 3))
        assert batch in batch_space(space, 3)
        one, many = codec.encode_batch(batch), codec.encode_many(values)
        assert all(np.array_equal(one[k], many[k]) for k in many)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (gs.Text(5), ["'obs'", "Text", "TransformObservation"]),
        (gs.Dict(a=gs.Tuple([gs.Discrete(2), gs.Text(5)])), ["'a/1'", "Text", "FilterObservation"]),
        (gs.Graph(gs.Box(0, 1, (2,)), None), ["'obs'", "Graph"]),
        (gs.OneOf([gs.Discrete(2), gs.Box(0, 1)]), ["OneOf"]),
        (gs.Sequence(gs.Dict(a=gs.Discrete(2))), ["in a Sequence", "Dict"]),
        (gs.Discrete(100_000), ["100000 choices"]),
        (gs.Dict({"a/b": gs.Discrete(2), "a": gs.Dict(b=gs.Discrete(2))}), ["two", "'a/b'"]),
        (gs.Dict({(1, 2): gs.Discrete(2)}), ["(1, 2)"]),
    ],
    ids=str,
)
def test_unsupported_observation_says_which_where_and_what_to_do(space, words):
    with pytest.raises(EnvError) as caught:
        ObsCodec(space)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (gs.Sequence(gs.Discrete(2)), ["the action", "Sequence", "TransformAction"]),
        (gs.Dict(a=gs.Text(3)), ["'a'", "Text"]),
        (gs.Box(0, np.inf, (2,), dtype=np.int64), ["no bounds"]),
        (gs.Box(0, 9999, (2,), dtype=np.int64), ["10000 choices", "4096"]),
    ],
    ids=str,
)
def test_unsupported_action_says_which_where_and_what_to_do(space, words):
    with pytest.raises(EnvError) as caught:
        ActionCodec(space)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("space", "value", "word"),
    [
        (LEAVES[0], np.zeros(3, np.float32), "shape [3]"),
        (LEAVES[0], np.zeros((1, 4), np.float32), "shape [1, 4]"),
        (LEAVES[0], np.array(["a"] * 4), "<U1"),
        (LEAVES[0], [[1], [2, 3]], "ragged"),
        (LEAVES[8], np.full(128, 300), "does not fit"),
        (LEAVES[8], np.zeros(128, np.float32), "float32"),
        (gs.Discrete(3), 3, "does not hold"),
        (gs.Discrete(3), -1, "does not hold"),
        (gs.Discrete(3), 1.0, "float64"),
        (gs.MultiDiscrete([2, 2]), np.array([0, 2]), "does not hold"),
        (gs.Sequence(gs.Discrete(2)), (0,) * 33, "max_entities"),
        (NESTS[0], (np.zeros(4, np.float32),), "1 parts"),
        (NESTS[3], {"z": np.zeros(4, np.float32), "b": 1}, "'a'"),
        (NESTS[3], None, "NoneType"),
    ],
    ids=str,
)
def test_observation_that_does_not_belong_is_refused(space, value, word):
    with pytest.raises(EnvError) as caught:
        ObsCodec(space).encode(value)
    assert word in str(caught.value)


def test_numbers_of_the_same_kind_are_cast():
    assert ObsCodec(LEAVES[0]).encode(np.zeros(4))["obs"].dtype == np.float32
    assert ObsCodec(LEAVES[0]).encode([0, 1, 0, 1])["obs"].tolist() == [0, 1, 0, 1]
    assert ObsCodec(LEAVES[8]).encode(np.full(128, 255))["obs"].dtype == np.uint8


def test_fit_clips_numbers_and_refuses_what_does_not_exist():
    codec = ActionCodec(gs.Tuple([gs.Box(-1, 1, (2,)), gs.Discrete(3)]))
    actions = Action(np.array([[-3.0, 0.5]], np.float32), np.array([[2]]))
    assert codec.fit(actions).continuous.tolist() == [[-1, 0.5]]
    assert actions.continuous[0, 0] == -3
    for wrong in (
        Action(np.array([[np.nan, 0]], np.float32), np.array([[2]])),
        Action(np.zeros((1, 2), np.float32), np.array([[3]])),
        Action(np.zeros((1, 2), np.float32), np.array([[-1]])),
        Action(np.zeros((1, 3), np.float32), np.array([[1]])),
        Action(np.zeros((1, 2), np.float32), np.zeros((1, 0), np.int64)),
    ):
        with pytest.raises(EnvError):
            codec.fit(wrong)


def test_fitted_actions_are_never_the_callers_arrays():
    codec = ActionCodec(gs.Box(-np.inf, np.inf, (2,)))
    action = Action(np.zeros((1, 2), np.float32), np.zeros((1, 0), np.int64))
    codec.decode_many(codec.fit(action))[0] += 1
    assert action.continuous.sum() == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type":"Nothing"}',
        '{"type":"Box","dtype":"float32","shape":[1000000000000],"low":0,"high":1}',
        '{"type":"Box","dtype":"float32","shape":[2],"low":[0],"high":1}',
        '{"type":"Box","dtype":"object","shape":[2],"low":0,"high":1}',
        '{"type":"Box","dtype":"uint8","shape":[2],"low":0,"high":999}',
        '{"type":"Box","dtype":"float32","shape":[-2],"low":0,"high":1}',
        '{"type":"Discrete","n":-1,"start":0,"dtype":"int64"}',
        '{"type":"MultiBinary","n":1000000000000}',
        '{"type":"Dict","items":[["a"]]}',
        '{"type":"Tuple","items":' * 200 + "[]" + "}" * 200,
        '{"type":"Tuple","items":[' * 60 + "]}" * 60,
    ],
)
def test_damaged_description_is_an_error_of_one_line(text):
    with pytest.raises(EnvError) as caught:
        space_from_json(text)
    assert "\n" not in str(caught.value)


def test_reading_a_spec_needs_no_gymnasium():
    code = "import sys, understudy.data.spaces; assert 'gymnasium' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
