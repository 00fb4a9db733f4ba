"""A policy that can be asked, saved and loaded."""

import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from understudy.data.action import Action
from understudy.data.spaces import spec_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import CheckpointError, EnvError
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.run.files import commit_folder, read_folder
from understudy.run.policy import Policy
from worlds import toy_demos

BOX = spaces.Box(-1, 1, (3,), np.float32)


def policy(seen: Any = BOX, done: Any = None, memory: int = 0, seed: int = 0, facts: Any = None):
    """An untrained policy with weights that are not all small."""
    spec = seen if isinstance(seen, Spec) else spec_of(seen, done or spaces.Discrete(4))
    net = NetConfig(hidden=(8,), memory=memory)
    model = make_model(spec, Product(spec.action), net, np.random.default_rng(seed))
    model.flat.value += np.random.default_rng(seed).normal(0, 0.5, len(model.flat.value))
    return Policy(model, net, facts or {})


def sample(space, count, seed=0):
    space.seed(seed)
    return [space.sample() for _ in range(count)]


@pytest.mark.parametrize(
    "done",
    [
        spaces.Discrete(3),
        spaces.Discrete(3, start=-1),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(3),
        spaces.Box(np.array([-1, 0], np.float32), np.array([1, 0.01], np.float32)),
        spaces.Box(-1, 1, (2, 2), np.float64),
        spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(-1, 1, (1,))}),
        spaces.Tuple([spaces.Discrete(2), spaces.Box(-0.1, 0.1, (2,))]),
    ],
    ids=str,
)
@pytest.mark.parametrize("deterministic", [True, False])
def test_an_answer_is_an_action_of_the_environments_space(done, deterministic):
    asked = policy(done=done)
    for obs in sample(BOX, 20):
        action, state = asked.predict(obs, deterministic=deterministic)
        assert done.contains(action)
        assert state == {}


@pytest.mark.parametrize(
    "seen",
    [
        BOX,
        spaces.Box(-1, 1, (2, 3), np.float64),
        spaces.Discrete(5),
        spaces.Dict({"a": BOX, "b": spaces.Discrete(3)}),
        spaces.Tuple([BOX, spaces.MultiBinary(2)]),
    ],
    ids=str,
)
def test_a_batch_is_answered_as_one_by_one(seen):
    asked = policy(seen)
    many = sample(seen, 6)
    batched = gym.vector.utils.concatenate(
        seen, many, gym.vector.utils.create_empty_array(seen, len(many))
    )
    together, _ = asked.predict(batched, deterministic=True)
    alone = [asked.predict(obs, deterministic=True)[0] for obs in many]
    assert np.asarray(together).tolist() == [int(a) for a in alone]


def test_a_batch_of_a_nested_action_is_a_list():
    done = spaces.Dict({"a": spaces.Discrete(2), "b": spaces.Box(-1, 1, (1,))})
    actions, _ = policy(done=done).predict(np.zeros((3, 3), np.float32))
    assert isinstance(actions, list)
    assert len(actions) == 3
    assert all(done.contains(action) for action in actions)


def test_the_likeliest_action_is_always_the_same_and_a_drawn_one_is_not():
    asked = policy()
    obs = np.full(3, 0.5, np.float32)
    likeliest = {int(asked.predict(obs, deterministic=True)[0]) for _ in range(50)}
    drawn = {int(asked.predict(obs)[0]) for _ in range(50)}
    assert len(likeliest) == 1
    assert len(drawn) > 1


def test_drawing_is_decided_by_the_seed():
    obs = np.zeros((20, 3), np.float32)
    same = [policy(facts={"seed": 3}).predict(obs)[0].tolist() for _ in range(2)]
    assert same[0] == same[1]
    actors = [policy().actor(seed) for seed in (3, 3, 4)]
    drawn = [a.act({"obs": obs}, {}, np.ones(20, bool))[0].discrete.tolist() for a in actors]
    assert drawn[0] == drawn[1] != drawn[2]
    likeliest = policy().actor().act({"obs": obs}, {}, np.ones(20, bool))[0].discrete
    assert len(np.unique(likeliest)) == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(EnvError, match=r"of shape \[4\], expected \[3\] or a batch of those"):
        policy().predict(np.zeros(4, np.float32))
    arrays = policy(toy_demos("vector", "discrete", 1, 3, np.random.default_rng(0)).spec)
    with pytest.raises(EnvError, match=r"observations \['wrong'\], expected \['vector'\]"):
        arrays.predict({"wrong": np.zeros(4)})
    with pytest.raises(EnvError, match=r"'vector' has shape \[5\], expected \[4\]"):
        arrays.predict({"vector": np.zeros((2, 5))})


def test_an_image_of_fractions_is_not_taken_for_bytes():
    asked = policy(spaces.Box(0, 255, (20, 20, 1), np.uint8))
    whole = np.full((20, 20, 1), 200)
    assert asked.predict(whole, deterministic=True) == asked.predict(
        whole * 1.0, deterministic=True
    )
    with pytest.raises(EnvError, match="has fractions, the policy has seen uint8"):
        asked.predict(whole / 255)


def test_without_an_environment_named_arrays_are_spoken():
    action = ActionSpec(continuous=1, low=(-0.01,), high=(0.01,), branches=(3,))
    spec = Spec(obs={"a": Obs(kind="vector", shape=(2,))}, action=action)
    asked = policy(spec)
    one, state = asked.predict(np.full(2, 9.0))
    assert isinstance(one, Action)
    assert (one.continuous.shape, one.discrete.shape, state) == ((1,), (1,), {})
    assert one.continuous.dtype == np.float32
    assert abs(one.continuous[0]) <= np.float32(0.01)
    many, _ = asked.predict({"a": np.zeros((5, 2))})
    assert many.discrete.shape == (5, 1)


def remembering():
    demos = toy_demos("vector", "discrete", 2, 6, np.random.default_rng(0), memory_task=True)
    return policy(demos.spec, memory=4), demos.episodes[0].obs["vector"]


def test_memory_is_handed_from_call_to_call_and_forgotten_when_an_episode_begins():
    asked, seen = remembering()
    _, after_one = asked.predict(seen[0], deterministic=True)
    _, after_two = asked.predict(seen[1], after_one, deterministic=True)
    _, afresh = asked.predict(seen[1], deterministic=True)
    _, told = asked.predict(seen[1], after_two, episode_start=True, deterministic=True)
    for name in asked.model.memory:
        assert np.abs(after_two[name] - afresh[name]).max() > 1e-4
        np.testing.assert_allclose(told[name], afresh[name], atol=1e-6)


def test_only_those_forget_whose_episode_begins():
    asked, seen = remembering()
    both = np.stack([seen[0], seen[0]])
    _, state = asked.predict(both)
    _, after = asked.predict(both, state, np.array([True, False]))
    for x in after.values():
        assert np.abs(x[0] - x[1]).max() > 1e-4


@pytest.mark.parametrize("kind", ["vector", "all"])
@pytest.mark.parametrize("memory", [0, 3])
def test_a_loaded_policy_answers_the_same_to_the_last_bit(kind, memory, tmp_path):
    demos = toy_demos(kind, "hybrid", 2, 6, np.random.default_rng(0))
    made = policy(demos.spec, memory=memory, facts={"env": "Toy-v0", "seed": 5})
    made.model.observe(demos.rows().obs)
    path = made.save(tmp_path / "policy")
    again = Policy.load(path)
    assert again.spec == made.spec
    assert again.net == made.net
    assert again.facts == {"env": "Toy-v0", "seed": 5}
    obs = {name: x[:5] for name, x in demos.episodes[0].obs.items()}
    for deterministic in (True, False):
        (a, s), (b, t) = (p.predict(obs, deterministic=deterministic) for p in (made, again))
        assert a.continuous.tobytes() == b.continuous.tobytes()
        assert a.discrete.tobytes() == b.discrete.tobytes()
        assert all(s[name].tobytes() == t[name].tobytes() for name in made.model.memory)


def test_units_of_actions_are_saved(tmp_path):
    spec = Spec(obs={"a": Obs(kind="vector", shape=(1,))}, action=ActionSpec(continuous=1))
    dist = Product(spec.action, np.array([500.0]), np.array([25.0]))
    model = make_model(spec, dist, NetConfig(hidden=()), np.random.default_rng(0))
    model.flat.value[:] = 0
    Policy(model, NetConfig(hidden=()), {}).save(tmp_path / "p")
    again = Policy.load(tmp_path / "p")
    assert again.predict([0.0], deterministic=True)[0].continuous.tolist() == [500]
    assert again.model.dist.log_volume == pytest.approx(np.log(25))


def test_saving_again_replaces_the_whole_folder(tmp_path):
    policy(seed=0).save(tmp_path / "p")
    second = policy(seed=1)
    second.save(tmp_path / "p")
    found = Policy.load(tmp_path / "p").model.flat.value
    assert found.tobytes() == second.model.flat.value.tobytes()


def changed(path, change):
    files = dict(read_folder(path))
    about = json.loads(files["policy.json"])
    change(about)
    commit_folder(path, {**files, "policy.json": json.dumps(about).encode()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about: about.update(format=99), "a policy of format 99, this understudy reads 1"),
        (lambda about: about.pop("spec"), "damaged: not a policy: KeyError"),
        (lambda about: about.pop("format"), "damaged: not a policy: KeyError"),
        (lambda about: about["net"].update(hidden=[3]), "damaged: not a policy: ValueError"),
        (lambda about: about["spec"].update(obs={}), "damaged: not a policy: ValueError"),
    ],
)
def test_a_folder_that_is_no_policy_is_refused(change, message, tmp_path):
    path = policy().save(tmp_path / "p")
    changed(path, change)
    with pytest.raises(CheckpointError, match=message):
        Policy.load(path)


def test_a_folder_without_a_policy_or_with_a_damaged_one_is_refused(tmp_path):
    with pytest.raises(CheckpointError):
        Policy.load(tmp_path / "nowhere")
    commit_folder(tmp_path / "other", {"a.txt": b"a"})
    with pytest.raises(CheckpointError, match=r"holds no policy.json"):
        Policy.load(tmp_path / "other")
    path = policy().save(tmp_path / "p")
    whole = (path / "state.safetensors").read_bytes()
    (path / "state.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointError):
        Policy.load(path)
