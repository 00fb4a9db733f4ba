from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from understudy.data.spec import ActionSpec, Obs, Spec, present
from understudy.errors import ConfigError
from understudy.nets import modules
from understudy.nets.check import check_model, random_obs
from understudy.nets.flat import F32, Adam
from understudy.nets.model import NetConfig, make_model, start_state
from understudy.nets.modules import TorchModel
from understudy.ops.cloning import likelihood
from understudy.ops.cost import Cost
from understudy.ops.product import FORBIDDEN, Product

VECTOR = Obs(kind="vector", shape=(3,))
GOAL = Obs(kind="vector", shape=(2,), dtype="float64", goal=True)
IMAGE = Obs(kind="image", shape=(20, 24, 3), dtype="uint8")
DEPTH = Obs(kind="image", shape=(1, 20, 20), channels_first=True)
ENTITIES = Obs(kind="entities", shape=(4, 3))
MASK = Obs(kind="mask", shape=(5,), dtype="bool")
SEEN = {
    "vector": {"a": VECTOR},
    "image": {"i": IMAGE},
    "entities": {"e": ENTITIES},
    "two cameras": {"i": IMAGE, "j": DEPTH},
    "entities of two kinds": {
        "e": ENTITIES,
        "f.x": Obs(kind="entities", shape=(1, 2)),
        "a": VECTOR,
    },
    "everything": {"a": VECTOR, "g": GOAL, "i": IMAGE, "j": DEPTH, "e": ENTITIES, "m": MASK},
    "nothing but a mask": {"m": MASK},
    "zero wide": {"z": Obs(kind="vector", shape=(0,)), "e": ENTITIES},
}
ACTION = ActionSpec(continuous=2, branches=(2, 3))
SMALL = NetConfig(hidden=(16,), entity_width=8)


def made(obs, memory=0, num_signals=2, action=ACTION, seed=0, **config) -> TorchModel:
    spec = Spec(obs=obs, action=action)
    config = NetConfig(**{"hidden": (16,), "entity_width": 8, "memory": memory, **config})
    rng = np.random.default_rng(seed)
    return modules.make_torch_model(spec, Product(action), config, rng, num_signals)


def looked(model: TorchModel, obs, fresh=None):
    lead = next(iter(obs.values())).shape[:2]
    fresh = np.zeros(lead, bool) if fresh is None else fresh
    return model.look(obs, start_state(model, lead[1]), fresh)[:2]


@pytest.mark.parametrize("num_signals", [0, 2])
@pytest.mark.parametrize("memory", [0, 6])
@pytest.mark.parametrize("seen", SEEN)
def test_a_torch_model_is_a_model(seen, memory, num_signals):
    model = made(SEEN[seen], memory, num_signals)
    check_model(model, np.random.default_rng(1), num_rows=4, slots=2)


GOALS = {
    "vector": {"a": VECTOR, "g": GOAL},
    "image": {"i": DEPTH, "g": replace(DEPTH, goal=True), "a": VECTOR},
    "entities": {"e": ENTITIES, "g": replace(ENTITIES, goal=True)},
    "everything": SEEN["everything"],
}


@pytest.mark.parametrize("shared", [False, True], ids=["apart", "shared"])
@pytest.mark.parametrize("goal", ["concat", "hyper"])
@pytest.mark.parametrize(("memory", "cell"), [(0, "lstm"), (6, "lstm"), (6, "gru")])
@pytest.mark.parametrize("seen", GOALS)
def test_kinds_memory_goals_and_sharing_go_together(seen, memory, cell, goal, shared):
    model = made(GOALS[seen], memory, cell=cell, goal=goal, shared=shared)
    check_model(model, np.random.default_rng(1), num_rows=3, slots=2)


@pytest.mark.parametrize(
    "action",
    [
        ActionSpec(continuous=2),
        ActionSpec(branches=(4,)),
        ActionSpec(branches=(2, 2)),
        ActionSpec(),
    ],
)
def test_a_torch_model_of_any_action_is_a_model(action):
    check_model(made({"a": VECTOR}, 6, action=action), np.random.default_rng(1))


@pytest.mark.parametrize(
    ("camera", "side"), [("simple", 20), ("nature", 36), ("resnet", 4), ("resnet", 33)]
)
def test_every_camera_sees_its_smallest_image(camera, side):
    obs = {"i": Obs(kind="image", shape=(side, side + 3, 3), dtype="uint8")}
    check_model(made(obs, camera=camera, num_signals=0), np.random.default_rng(1), num_rows=2)


def test_no_hidden_layer_is_a_model_too():
    check_model(made(SEEN["everything"], 4, hidden=()), np.random.default_rng(1), num_rows=2)


@pytest.mark.parametrize(
    ("camera", "side", "says"),
    [
        ("simple", 19, "from 20 pixels a side on: choose camera 'resnet' from 4 pixels"),
        ("nature", 35, "from 36 .* 'simple' from 20 or 'resnet' from 4 pixels"),
        ("resnet", 3, "from 4 pixels a side on: record it as a vector"),
    ],
)
def test_too_small_an_image_says_what_to_do(camera, side, says):
    with pytest.raises(ConfigError, match=f"image 'i' is 40x{side}; camera '{camera}' .*{says}"):
        made({"i": Obs(kind="image", shape=(40, side, 3))}, camera=camera)


def test_entities_without_features_are_refused():
    with pytest.raises(ConfigError, match="entities 'e'"):
        made({"e": Obs(kind="entities", shape=(4, 0))})


def test_the_same_seed_makes_the_same_model_and_leaves_torchs_generator_alone():
    before = torch.get_rng_state()
    a, b, c = (made(SEEN["everything"], 6, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(5)
    np.testing.assert_array_equal(a.flat.value, b.flat.value)
    assert not np.array_equal(a.flat.value, c.flat.value)


def test_parameters_and_gradients_are_views_of_the_buffer():
    model = made(SEEN["everything"], 6)
    model.flat.value[:] = np.arange(len(model.flat.value))
    model.flat.grad[:] = 1
    for name, p in model.module.named_parameters():
        place, shape = model.flat.names[name]
        assert tuple(p.shape) == shape
        np.testing.assert_array_equal(p.detach().reshape(-1), model.flat.value[place])
        assert p.grad is not None
        assert p.grad.all()


def test_deviations_start_at_one_and_see_nothing():
    model = made({"a": VECTOR})
    obs = random_obs(model.spec, np.random.default_rng(0), 3, 4)
    head, _ = looked(model, obs)
    assert np.abs(head[..., : model.dist.width]).max() < 0.2
    assert not head[..., model.dist.width :].any()


def test_a_torch_model_of_vectors_sees_what_a_dense_one_sees():
    spec = Spec(obs={"a": VECTOR, "g": GOAL}, action=ACTION)
    config = NetConfig(hidden=(8, 8), activation="tanh")
    dense = make_model(spec, Product(ACTION), config, np.random.default_rng(0), 1)
    model = made(spec.obs, num_signals=1, hidden=(8, 8), activation="tanh")
    for mine, theirs in (("policy", "policy"), ("critic", "critic")):
        layers = [f"{mine}.hidden.0", f"{mine}.hidden.2", f"{mine}.out"]
        for k, layer in enumerate(layers):
            named, source = model.flat.named(), dense.flat.named()
            named[f"{layer}.weight"][:] = source[f"{theirs}.{k}.weight"].T
            bias = named[f"{layer}.bias"]
            bias[:] = source[f"{theirs}.{k}.bias"][: len(bias)]
    obs = random_obs(spec, np.random.default_rng(0), 3, 40)
    for each in (dense, model):
        each.observe(obs)
    fresh = np.zeros((3, 40), bool)
    for a, b in zip(dense.look(obs, {}, fresh)[:2], model.look(obs, {}, fresh)[:2], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_bytes_are_seen_as_shares_of_255_however_channels_are_stored():
    rng = np.random.default_rng(0)
    bytes_ = rng.integers(0, 256, (2, 3, 20, 24, 3)).astype(np.uint8)
    same = [
        ({"i": IMAGE}, bytes_),
        ({"i": Obs(kind="image", shape=(20, 24, 3))}, (bytes_ / 255).astype(F32)),
        (
            {"i": Obs(kind="image", shape=(3, 20, 24), dtype="uint8", channels_first=True)},
            np.moveaxis(bytes_, -1, -3),
        ),
    ]
    heads = [looked(made(spec), {"i": x})[0] for spec, x in same]
    for head in heads[1:]:
        np.testing.assert_allclose(head, heads[0], atol=1e-6)


def entities(rng, lead=(2, 3), n=4):
    x = rng.standard_normal((*lead, n, 3)).astype(F32)
    there = rng.random((*lead, n)) < 0.5
    there[..., 0] = True
    return {"e": x, present("e"): there, "a": rng.standard_normal((*lead, 3)).astype(F32)}


def test_entities_that_are_absent_change_nothing():
    model, rng = made({"e": ENTITIES, "a": VECTOR}), np.random.default_rng(0)
    model.flat.value += 0.1 * rng.standard_normal(len(model.flat.value)).astype(F32)
    obs = entities(rng)
    model.observe(obs)
    head, value = looked(model, obs)
    other = {**obs, "e": np.where(obs[present("e")][..., None], obs["e"], np.nan).astype(F32)}
    model.observe({**other, present("e"): np.zeros_like(obs[present("e")])})
    for a, b in zip((head, value), looked(model, other), strict=True):
        np.testing.assert_array_equal(a, b)
    other["e"] = np.where(obs[present("e")][..., None], obs["e"], 1e30).astype(F32)
    for a, b in zip((head, value), looked(model, other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_order_of_entities_changes_nothing():
    model, rng = made({"e": ENTITIES, "a": VECTOR}), np.random.default_rng(0)
    model.flat.value += 0.1 * rng.standard_normal(len(model.flat.value)).astype(F32)
    obs, order = entities(rng), rng.permutation(4)
    moved = {**obs, "e": obs["e"][..., order, :], present("e"): obs[present("e")][..., order]}
    for a, b in zip(looked(model, obs), looked(model, moved), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_room_for_more_entities_changes_nothing():
    rng = np.random.default_rng(0)
    a = made({"e": ENTITIES, "a": VECTOR})
    b = made({"e": Obs(kind="entities", shape=(9, 3)), "a": VECTOR})
    obs = entities(rng)
    wide = {"e": np.ones((2, 3, 9, 3), F32), present("e"): np.zeros((2, 3, 9), bool), "a": obs["a"]}
    wide["e"][..., :4, :], wide[present("e")][..., :4] = obs["e"], obs[present("e")]
    for x, y in zip(looked(a, obs), looked(b, wide), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-6)


def test_entities_that_are_there_do_matter():
    model, rng = made({"e": ENTITIES, "a": VECTOR}), np.random.default_rng(0)
    model.flat.value += 0.1 * rng.standard_normal(len(model.flat.value)).astype(F32)
    obs = entities(rng)
    other = {**obs, "e": obs["e"] + obs[present("e")][..., None].astype(F32)}
    assert np.abs(looked(model, obs)[0] - looked(model, other)[0]).max() > 1e-2


def test_nobody_there_is_fine():
    model, rng = made({"e": ENTITIES}), np.random.default_rng(0)
    obs = entities(rng)
    obs[present("e")][:] = False
    obs["e"][:] = np.inf
    model.observe(obs)
    head, value, _ = model(obs, {}, np.zeros((2, 3), bool))
    assert np.isfinite(head.array).all()
    Cost(seeds=[(head, np.ones_like(head.array)), (value, np.ones_like(value.array))]).backward()
    assert np.isfinite(model.flat.grad).all()
    assert model.flat.grad.any()


def test_only_those_who_are_there_are_measured():
    model, rng = made({"e": ENTITIES}), np.random.default_rng(0)
    obs = entities(rng, (20, 30))
    obs["e"] = np.where(obs[present("e")][..., None], 3 * obs["e"] + 7, 1e9).astype(F32)
    model.observe(obs)
    found = model.state_dict()["normalizers"]["entities/e"]
    assert found["count"] == obs[present("e")].sum()
    np.testing.assert_allclose(found["mean"], obs["e"][obs[present("e")]].mean(0), rtol=1e-4)


@pytest.mark.parametrize("memory", [0, 6])
def test_looking_in_parts_is_looking_at_once(memory, monkeypatch):
    model, rng = made(SEEN["everything"], memory), np.random.default_rng(0)
    obs = random_obs(model.spec, rng, 7, 3)
    state = {n: rng.standard_normal((3, *s)).astype(F32) for n, s in model.memory.items()}
    fresh = rng.random((7, 3)) < 0.2
    whole = model.look(obs, state, fresh)
    for rows in (1, 6, 12):
        monkeypatch.setattr(modules, "LOOK_ROWS", rows)
        parts = model.look(obs, state, fresh)
        for a, b in zip(whole[:2], parts[:2], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
        for name, x in whole[2].items():
            np.testing.assert_allclose(x, parts[2][name], atol=1e-5)


def test_memory_reaches_back_and_an_episode_begins_without_it():
    model, rng = made({"a": VECTOR}, 8), np.random.default_rng(0)
    obs = random_obs(model.spec, rng, 6, 2)
    other = {"a": obs["a"].copy()}
    other["a"][0] += 1
    fresh = np.zeros((6, 2), bool)
    fresh[3, 0] = True
    a, b = (looked(model, x, fresh)[1] for x in (obs, other))
    assert (a[1:3] != b[1:3]).all()
    np.testing.assert_array_equal(a[3:, 0], b[3:, 0])
    assert (a[3:, 1] != b[3:, 1]).all()


def test_the_actor_leaves_alone_what_only_the_critic_remembers():
    model, rng = made({"a": VECTOR}, 8, num_signals=1), np.random.default_rng(0)
    assert set(model.memory) == {"policy.h", "policy.c", "critic.h", "critic.c"}
    state = {n: rng.standard_normal((2, *s)).astype(F32) for n, s in model.memory.items()}
    obs = random_obs(model.spec, rng, 2)
    _, after = model.actor(2)(obs, state, np.zeros(2, bool))
    np.testing.assert_array_equal(after["critic.h"], state["critic.h"])
    assert (after["policy.h"] != state["policy.h"]).all()
    assert set(made({"a": VECTOR}, 8, num_signals=0).memory) == {"policy.h", "policy.c"}


def test_policy_and_critic_do_not_share_parameters():
    model = made(SEEN["everything"], 6)
    obs = random_obs(model.spec, np.random.default_rng(0), 2, 3)
    head, value, _ = model(obs, start_state(model, 3), np.zeros((2, 3), bool))
    head.pull(np.ones_like(head.array))
    named = model.flat.named(model.flat.grad)
    assert not any(g.any() for n, g in named.items() if n.startswith("critic."))
    before = model.flat.grad.copy()
    value.pull(np.ones_like(value.array))
    changed = model.flat.named(model.flat.grad - before)
    assert all(n.startswith("critic.") for n, g in changed.items() if g.any())


def test_a_shared_critic_is_one_layer_on_top_of_the_policy():
    model = made(SEEN["everything"], 6, cell="gru", shared=True)
    assert model.memory == {"policy.h": (6,)}
    assert {n for n in model.flat.names if not n.startswith("policy.")} == {
        "constants",
        "value.weight",
        "value.bias",
    }
    obs = random_obs(model.spec, np.random.default_rng(0), 2, 3)
    _, value, _ = model(obs, start_state(model, 3), np.zeros((2, 3), bool))
    value.pull(np.ones_like(value.array))
    named = model.flat.named(model.flat.grad)
    assert not named["policy.out.weight"].any()
    assert all(g.any() for n, g in named.items() if n.endswith("weight") and ".out" not in n)


def test_without_values_there_is_nothing_to_share():
    one, other = (made(SEEN["everything"], 6, num_signals=0, shared=s) for s in (False, True))
    np.testing.assert_array_equal(one.flat.value, other.flat.value)


def test_neither_masks_nor_flags_of_presence_nor_images_are_measured():
    model = made(SEEN["everything"])
    rng = np.random.default_rng(0)
    obs = random_obs(model.spec, rng, 4, 30)
    model.observe(obs)
    kept = model.state_dict()["normalizers"]
    assert {name: len(x["mean"]) for name, x in kept.items()} == {"vectors": 5, "entities/e": 3}
    other = {**obs, "i": 255 - obs["i"], "j": obs["j"] + 1, "m": ~obs["m"]}
    again = made(SEEN["everything"])
    again.observe(other)
    for name, x in again.state_dict()["normalizers"].items():
        np.testing.assert_array_equal(x["mean"], kept[name]["mean"])


def test_policy_and_critic_see_the_same_unit():
    rng = np.random.default_rng(0)
    models = [made({"a": VECTOR}, normalize=n) for n in (True, False)]
    obs = {"a": rng.normal(5, 3, (1, 400, 3)).astype(F32)}
    models[0].observe(obs)
    x = obs["a"]
    by_hand = {"a": ((x - x.mean((0, 1))) / x.std((0, 1))).astype(F32)}
    for a, b in zip(looked(models[0], obs), looked(models[1], by_hand), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_mask_forbids_and_gives_no_gradient():
    model = made({"a": VECTOR, "m": MASK})
    obs = random_obs(model.spec, np.random.default_rng(0), 4, 3)
    head, _ = model.policy(obs, {}, np.zeros((4, 3), bool))
    forbidden = head.array[..., 2:7] == FORBIDDEN
    np.testing.assert_array_equal(forbidden, ~obs["m"])
    gradient = np.zeros_like(head.array)
    gradient[..., 2:7][forbidden] = 1
    head.pull(gradient)
    assert not model.flat.grad.any()


def test_a_mask_laid_on_afterwards_is_joined_with_the_values():
    model = made({"a": VECTOR}, num_signals=1)
    plain = made({"a": VECTOR, "m": MASK}, num_signals=1)
    np.testing.assert_array_equal(model.flat.value, plain.flat.value)
    obs = random_obs(plain.spec, np.random.default_rng(0), 2, 3)
    grads = []
    for each in (model, plain):
        head, value, _ = each(obs, {}, np.zeros((2, 3), bool))
        if each is model:
            head = each.dist.allow(head, obs["m"])
        score = each.dist.score(head.array, np.ones((2, 3, 7), F32))[2]
        ones = np.ones((2, 3), F32)
        Cost(seeds=[(head, score(ones, ones)), (value, value.array)]).backward()
        grads.append(each.flat.grad.copy())
    np.testing.assert_allclose(*grads, rtol=1e-5, atol=1e-7)


def test_a_saved_model_is_the_same_model():
    a, b = made(SEEN["everything"], 6, seed=0), made(SEEN["everything"], 6, seed=1)
    obs = random_obs(a.spec, np.random.default_rng(0), 3, 2)
    a.observe(obs)
    b.load_state_dict(a.state_dict())
    for x, y in zip(looked(a, obs), looked(b, obs), strict=True):
        np.testing.assert_array_equal(x, y)


def test_the_state_of_another_model_is_refused():
    state = made({"a": VECTOR}).state_dict()
    with pytest.raises(ValueError, match="parameters differ"):
        made({"e": ENTITIES}).load_state_dict(state)
    with pytest.raises(ValueError, match="normalizers"):
        made({"a": VECTOR}, normalize=False).load_state_dict(state)


def test_arrays_that_may_not_be_written_or_run_backwards_are_seen():
    model = made({"a": VECTOR})
    x = np.random.default_rng(0).standard_normal((2, 3, 3)).astype(F32)
    head, _ = looked(model, {"a": x})
    locked = x.copy()
    locked.flags.writeable = False
    np.testing.assert_array_equal(looked(model, {"a": locked})[0], head)
    backwards = x[..., ::-1].copy()[..., ::-1]
    np.testing.assert_array_equal(looked(model, {"a": backwards})[0], head)


class Shared(nn.Module):
    """A module as a user writes it: one trunk for policy and values, a frozen layer, a counter."""

    def __init__(self, width: int, free: int, signals: int) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 3).requires_grad_(False)
        self.trunk, self.head, self.value = (
            nn.Linear(3, 8),
            nn.Linear(8, width),
            nn.Linear(8, signals),
        )
        self.log_std = nn.Parameter(torch.zeros(free))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, obs, state, fresh):
        h = (self.trunk(self.frozen(obs["a"])) * self.scale).tanh() + obs["a"][..., :1]
        head = self.head(h)
        return torch.cat([head, self.log_std.expand(*head.shape[:-1], -1)], -1), self.value(h), {}


def test_any_module_is_a_model():
    spec, dist = Spec(obs={"a": VECTOR}, action=ACTION), Product(ACTION)
    model = TorchModel(Shared(dist.width, dist.free, 2), spec, dist)
    check_model(model, np.random.default_rng(0))
    assert set(model.state_dict()["buffers"]) == {"scale", "frozen.weight", "frozen.bias"}
    scale = model.module.get_buffer("scale")
    scale.fill_(3)
    saved = model.state_dict()
    scale.fill_(1)
    model.load_state_dict(saved)
    assert scale == 3


def test_a_module_of_another_precision_is_refused():
    spec, dist = Spec(obs={"a": VECTOR}, action=ACTION), Product(ACTION)
    with pytest.raises(ValueError, match=r"'log_std' is torch.float64"):
        TorchModel(Shared(dist.width, dist.free, 2).double(), spec, dist)


def test_a_loss_written_in_torch_adds_to_others():
    model = made(SEEN["everything"], 6)
    obs = random_obs(model.spec, np.random.default_rng(0), 2, 3)
    inputs = obs, start_state(model, 3), np.zeros((2, 3), bool)
    head, _ = model.policy(*inputs)
    own = 0.5 * Cost.of((model.torch(*inputs)[..., :2] ** 2).sum())
    gradient = np.zeros_like(head.array)
    gradient[..., :2] = -head.array[..., :2]
    (own + Cost(seeds=[(head, gradient)])).backward()
    np.testing.assert_allclose(model.flat.grad, 0, atol=1e-6)


def cloned(model: TorchModel, obs, answer, steps: int, learning_rate: float = 3e-3) -> float:
    """Share of right choices on the last row after cloning `answer` [B] there."""
    adam = Adam(model.flat)
    lead = next(iter(obs.values())).shape[:2]
    code = np.zeros((*lead, 2), F32)
    code[-1, np.arange(lead[1]), answer] = 1
    share = np.zeros(lead, F32)
    share[-1] = 1 / lead[1]
    state, fresh = start_state(model, lead[1]), np.zeros(lead, bool)
    fresh[0] = True
    for _ in range(steps):
        head, _ = model.policy(obs, state, fresh)
        likelihood(model.dist, head, code, share).backward()
        adam.step(learning_rate)
    head, _, _ = model.look(obs, state, fresh)
    return float((model.dist.mode(head[-1]).discrete[:, 0] == answer).mean())


CHOICE = ActionSpec(branches=(2,))


def test_memory_learns_to_recall_what_was_shown_first():
    rng = np.random.default_rng(0)
    cue = rng.integers(0, 2, 32)
    obs = {"a": rng.standard_normal((8, 32, 3)).astype(F32)}
    obs["a"][0, :, 0] = 2 * cue - 1
    obs["a"][1:, :, 0] = 0
    with_memory = made({"a": VECTOR}, 16, 0, CHOICE, hidden=(16,))
    assert cloned(with_memory, obs, cue, 120, 1e-2) == 1


def test_a_camera_learns_which_side_is_bright():
    rng = np.random.default_rng(0)
    side = rng.integers(0, 2, 32)
    images = rng.integers(0, 100, (1, 32, 20, 20, 1)).astype(np.uint8)
    for b, right in enumerate(side):
        images[0, b, :, 10 * right : 10 * right + 10] += 100
    obs = {"i": Obs(kind="image", shape=(20, 20, 1), dtype="uint8")}
    assert cloned(made(obs, 0, 0, CHOICE), {"i": images}, side, 60) == 1


def test_attention_learns_whether_somebody_is_close():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 200, 4, 3)).astype(F32)
    there = rng.random((1, 200, 4)) < 0.6
    close = np.any((x[0, ..., 0] > 0.8) & there[0], -1).astype(int)
    obs = {"e": x, present("e"): there}
    model = made({"e": ENTITIES}, 0, 0, CHOICE, hidden=(32,), entity_width=32)
    assert cloned(model, obs, close, 150) > 0.97
