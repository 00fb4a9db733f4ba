"""Policies that Stable-Baselines3 saved act as they do there."""

from __future__ import annotations

import io
import json
import pickle
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

import make_policies
import mutants
from understudy.data.action_codec import ActionCodec
from understudy.data.episode import ActedBy
from understudy.data.spaces import spec_of
from understudy.errors import CheckpointError, ConfigError, UnderstudyError
from understudy.run.stable_baselines import stable_baselines_actor

POLICIES = Path(__file__).parent / "policies"
FIVE, CART = Box(-3, 3, (5,)), Box(-3, 3, (4,))
WIDE = Box(np.array([-2, 0], "f4"), np.array([2, 5], "f4"))
SPACES = {
    "ppo": (CART, Discrete(2)),
    "a2c": (FIVE, WIDE),
    "a2c_choices": (FIVE, MultiDiscrete([3, 4])),
    "a2c_bits": (FIVE, MultiBinary(3)),
    "sac": (FIVE, WIDE),
    "td3": (FIVE, WIDE),
    "dqn": (CART, Discrete(2)),
}


def changed(tmp_path, name, change=None, **files):
    """A policy's zip with other `data`, or other files."""
    path = tmp_path / "changed.zip"
    with zipfile.ZipFile(POLICIES / f"{name}.zip") as old, zipfile.ZipFile(path, "w") as new:
        data = json.loads(old.read("data"))
        if change is not None:
            change(data)
        contents = {"data": json.dumps(data).encode(), "policy.pth": old.read("policy.pth")}
        for file, content in {**contents, **files}.items():
            new.writestr(file, content)
    return path


def saved(value):
    """What torch writes of it."""
    out = io.BytesIO()
    torch.save(value, out)
    return out.getvalue()


@pytest.mark.parametrize("name", SPACES)
def test_a_policy_takes_the_actions_that_it_takes_there(name):
    observation_space, action_space = SPACES[name]
    (width,) = observation_space.shape
    seen, wanted = make_policies.observations(width), np.load(POLICIES / "answers.npz")[name]
    assert len(wanted) == 1000
    actor = stable_baselines_actor(
        POLICIES / f"{name}.zip", spec_of(observation_space, action_space)
    )
    action, state = actor.act({"obs": seen}, actor.start(1000), np.zeros(1000, bool))
    done = np.array(ActionCodec(action_space).decode_many(action))
    assert len(np.unique(wanted.round(3), axis=0)) > 1, "a policy that always does the same"
    if action_space is WIDE:
        np.testing.assert_allclose(done, wanted, rtol=0, atol=1e-5)
    else:
        np.testing.assert_array_equal(done, wanted)
    assert actor.acted_by is ActedBy.POLICY
    assert state == {}


def test_a_policy_whose_pickles_would_run_is_read_all_the_same(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'sprung')!r}, 'w')",))

    def poison(data):
        for value in data.values():
            if isinstance(value, dict):
                value[":serialized:"] = pickle.dumps(Trap()).hex()

    spec = spec_of(*SPACES["ppo"])
    stable_baselines_actor(changed(tmp_path, "ppo", poison), spec)
    trapped = changed(tmp_path, "ppo", **{"policy.pth": saved({"action_net.weight": Trap()})})
    with pytest.raises(CheckpointError, match=r"exec, which is none of these and was not run"):
        stable_baselines_actor(trapped, spec)
    assert not (tmp_path / "sprung").exists()


def refused(path, spec):
    with pytest.raises(UnderstudyError) as caught:
        stable_baselines_actor(path, spec)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_other_policies_are_refused_with_what_is_supported(tmp_path):
    spec = spec_of(*SPACES["ppo"])
    swing = spec_of(Box(-1, 1, (3,)), Box(-2, 2, (1,)))
    told = refused(POLICIES / "sde.zip", swing)
    assert "use_sde" in told
    assert "supported is the MlpPolicy of PPO, A2C, SAC, TD3, DDPG and DQN" in told

    def foreign(data):
        data["policy_class"]["__module__"] = "sb3_contrib.common.maskable.policies"

    def leaky(data):
        data["policy_kwargs"]["activation_fn"] = "<class 'torch.nn.modules.activation.LeakyReLU'>"

    def squashed(data):
        data["policy_kwargs"]["squash_output"] = True

    assert "a class of sb3_contrib.common" in refused(changed(tmp_path, "ppo", foreign), spec)
    assert "LeakyReLU'>, expected Tanh" in refused(changed(tmp_path, "ppo", leaky), spec)
    assert "made with squash_output=True" in refused(changed(tmp_path, "ppo", squashed), spec)
    layer = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    for names, why in (
        ({"features_extractor.cnn.0.weight": "weight"}, "features_extractor.cnn.0.weight"),
        ({"strange": "weight"}, "none of action_net.weight"),
        ({"action_net.weight": "weight"}, "action_net is no layer"),
        (
            {
                "q_net.q_net.0.weight": "weight",
                "q_net.q_net.0.bias": "bias",
                "q_net.q_net.3.weight": "weight",
                "q_net.q_net.3.bias": "bias",
            },
            "q_net.q_net.3",
        ),
        (
            {
                "q_net.q_net.0.weight": "weight",
                "q_net.q_net.0.bias": "bias",
                "q_net.q_net.2.weight": "weight",
                "q_net.q_net.2.bias": "bias",
            },
            "takes 3 numbers, 2 come",
        ),
    ):
        tensors = saved({name: layer[what] for name, what in names.items()})
        assert why in refused(changed(tmp_path, "ppo", **{"policy.pth": tensors}), spec)


def test_a_policy_that_does_not_fit_the_environment_is_refused():
    where = POLICIES / "ppo.zip"
    assert "sees 4 numbers, the environment gives 5" in refused(where, spec_of(FIVE, Discrete(2)))
    assert "gives 2 numbers" in refused(where, spec_of(CART, Discrete(3)))
    named = spec_of(Dict(a=Box(-1, 1, (2,)), b=Box(-1, 1, (2,))), Discrete(2))
    assert "MlpPolicy" in refused(where, named)
    assert "last layer" in refused(POLICIES / "dqn.zip", spec_of(CART, Box(-1, 1, (2,))))
    unbounded = spec_of(FIVE, Box(-np.inf, np.inf, (2,)))
    with pytest.raises(ConfigError, match="last layer"):
        stable_baselines_actor(POLICIES / "td3.zip", unbounded)


def test_what_is_no_such_zip_is_refused_in_one_line(tmp_path):
    spec = spec_of(*SPACES["ppo"])
    assert "no such file" in refused(tmp_path / "none.zip", spec)
    (tmp_path / "text.zip").write_text("hello")
    assert "not a zip" in refused(tmp_path / "text.zip", spec)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "no item named 'data'" in refused(tmp_path / "empty.zip", spec)
    assert "no JSON object" in refused(changed(tmp_path, "ppo", data=b"[]"), spec)
    deep = b"[" * 100_000
    assert "expected what a model" in refused(changed(tmp_path, "ppo", data=deep), spec)
    assert "no zip of torch" in refused(changed(tmp_path, "ppo", **{"policy.pth": b"x"}), spec)
    vast = torch.zeros(1).expand(1 << 20, 1 << 14)
    huge = changed(tmp_path, "ppo", **{"policy.pth": saved({"action_net.weight": vast})})
    assert "repeats its numbers" in refused(huge, spec)
    slid = torch.zeros(1 << 12).as_strided((1 << 11, 1 << 11), (1, 1))
    many = dict.fromkeys(map(str, range(100)), torch.zeros(1 << 12))
    for tensors in ({"action_net.weight": slid}, many):
        huge = changed(tmp_path, "ppo", **{"policy.pth": saved(tensors)})
        assert "repeats its numbers" in refused(huge, spec)


def test_damaged_policies_are_read_or_refused(tmp_path):
    spec, path = spec_of(*SPACES["ppo"]), tmp_path / "mutant.zip"
    inner = changed(tmp_path, "ppo").read_bytes()
    refused = 0
    for damaged in mutants.mutants(inner, 300, random.Random(0)):
        path.write_bytes(damaged)
        try:
            stable_baselines_actor(path, spec)
        except UnderstudyError:
            refused += 1
    assert refused > 200
