"""The replay against brute force: every window is what a slot lived, and none is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.spec import ActionSpec
from understudy.envs.env import one
from understudy.errors import DemoError
from understudy.nets.model import NetConfig, make_model
from understudy.ops.soft_product import SoftProduct
from understudy.run import checkpoint
from understudy.run.replay import Mixed, Replay, replay_of
from understudy.run.rollouts import Cast
from worlds import CountingActor, TinyEnv, toy_demos

LENGTHS = {"agent": [[3, 2], [5], [1, 4]]}
PERIODS = {"agent": [1, 2, 3]}


def lived(moments: int, rows: int, periods=PERIODS):
    """A replay, and all rows of every slot as plain lists: (obs, action, reward, ended how)."""
    env = TinyEnv(LENGTHS, periods, ActionSpec(branches=(8,)))
    cast = Cast(env, {"agent": CountingActor(one(env.behaviors))})
    replay = Replay(one(env.behaviors), rows, env.slots["agent"])
    diary = [[] for _ in range(replay.slots)]
    now = env.reset(0)
    for _ in range(moments):
        actions = cast.act(now)
        if now:
            moment = one(now)
            replay.see(moment)
            for n, slot in enumerate(moment.slots):
                if diary[slot]:
                    diary[slot][-1]["reward"] = float(moment.reward[n])
                    diary[slot][-1]["terminated"] = bool(moment.terminated[n])
                acted = not moment.ended[n]
                choice = int(one(actions).discrete[n, 0])
                row = {"obs": moment.obs["obs"][n].tolist(), "acted": acted, "choice": choice}
                diary[slot].append(row | {"fresh": bool(moment.fresh[n])})
            replay.do(moment.slots, one(actions))
        now = env.step(actions)
    return replay, diary


def soft_model(spec):
    return make_model(
        spec, SoftProduct(spec.action), NetConfig(hidden=(4,)), np.random.default_rng(0)
    )


def model_of(replay: Replay):
    return soft_model(one(TinyEnv(LENGTHS, PERIODS, ActionSpec(branches=(8,))).behaviors))


def windows_of(diary, rows: int, length: int):
    """Every window that may be drawn, by the observation of its first row."""
    found = {}
    for slot in diary:
        kept = slot[-rows:]
        for first in range(len(kept) - length):
            if kept[first]["acted"]:
                found[tuple(kept[first]["obs"])] = kept[first : first + length + 1]
    return found


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("rows", [6, 9, 200])
@pytest.mark.parametrize("periods", [PERIODS, {"agent": [1, 1, 1]}], ids=["apart", "in step"])
def test_every_window_is_what_was_lived_and_none_is_left_out(rows, length, periods):
    replay, diary = lived(80, rows, periods)
    wanted = windows_of(diary, rows, length)
    batch = replay.sample(model_of(replay), np.random.default_rng(0), 4000, length)
    obs = batch.obs["obs"]
    assert obs.shape == (length + 1, 4000, 3)
    found = {tuple(x) for x in obs[0].tolist()}
    assert found == set(wanted)
    for b in range(0, 4000, 7):
        window = wanted[tuple(obs[0, b].tolist())]
        for t, row in enumerate(window):
            assert obs[t, b].tolist() == row["obs"]
            assert batch.fresh[t, b] == row["fresh"]
            if t < length:
                assert batch.acted[t, b] == row["acted"]
                assert batch.reward[t, b] == row["reward"]
                assert batch.terminated[t, b] == row["terminated"]
                if row["acted"]:
                    assert batch.code[t, b].argmax() == row["choice"]


def test_every_window_is_as_likely_as_another():
    replay, diary = lived(80, 9)
    wanted = windows_of(diary, 9, 1)
    batch = replay.sample(model_of(replay), np.random.default_rng(0), 20_000)
    _, counts = np.unique(batch.obs["obs"][0], axis=0, return_counts=True)
    expected = 20_000 / len(wanted)
    assert len(counts) == len(wanted)
    assert np.abs(counts - expected).max() < 6 * expected**0.5


def test_a_time_limit_keeps_what_was_seen_last_and_is_no_termination():
    replay, _ = lived(80, 200)
    batch = replay.sample(model_of(replay), np.random.default_rng(0), 3000)
    slot, episode, step = batch.obs["obs"][0].T.astype(int)
    lengths = LENGTHS["agent"]
    over = np.array([lengths[s][e % len(lengths[s])] for s, e in zip(slot, episode, strict=True)])
    last = step == over - 1
    # Episodes of this world are terminated and truncated in turn.
    np.testing.assert_array_equal(batch.terminated[0], last & (episode % 2 == 0))
    np.testing.assert_array_equal(batch.obs["obs"][1, :, 2], step + 1)
    np.testing.assert_array_equal(batch.obs["obs"][1, :, 1], episode)
    assert (batch.acted[0] == 1).all()
    np.testing.assert_array_equal(batch.acted[1] == 0, last)


def test_nothing_is_drawn_before_something_followed():
    env = TinyEnv({"agent": [[5]]}, action=ActionSpec(branches=(8,)))
    spec = one(env.behaviors)
    replay, model, rng = Replay(spec, 10, 1), soft_model(spec), np.random.default_rng(0)
    with pytest.raises(ValueError, match="nothing to draw"):
        replay.sample(model, rng, 2)
    replay.see(one(env.reset(0)))
    action = Action.zeros(spec.action, 1)
    replay.do(np.arange(1), action)
    with pytest.raises(ValueError, match="nothing to draw"):
        replay.sample(model, rng, 2)
    replay.see(one(env.step({"agent": action})))
    assert replay.sample(model, rng, 2).reward.tolist() == [[1, 1]]
    with pytest.raises(ValueError, match="3 rows behind"):
        replay.sample(model, rng, 2, length=3)


@pytest.mark.parametrize("moments", [5, 80])
def test_a_replay_goes_on_from_its_state(moments, tmp_path):
    replay, _ = lived(moments, 9)
    checkpoint.save(tmp_path, 1, {"replay": replay.state_dict()})
    other, _ = lived(0, 9)
    other.load_state_dict(checkpoint.load(tmp_path).state["replay"])
    model = model_of(replay)
    one_, two = (r.sample(model, np.random.default_rng(3), 64, 2) for r in (replay, other))
    for name in ("code", "acted", "fresh", "reward", "terminated"):
        np.testing.assert_array_equal(getattr(one_, name), getattr(two, name))
    # And it goes on being the same when more is written.
    env = TinyEnv(LENGTHS, action=ActionSpec(branches=(8,)))
    for r in (replay, other):
        r.see(one(env.reset(0)))
    for name, x in replay.obs.items():
        np.testing.assert_array_equal(other.obs[name], x)
    np.testing.assert_array_equal(other.count, replay.count)


def test_the_state_of_another_size_is_refused():
    replay, _ = lived(80, 9)
    other, _ = lived(0, 12)
    with pytest.raises(ValueError, match="does not fit"):
        other.load_state_dict(replay.state_dict())


def test_demonstrations_are_rows_like_others():
    demos = toy_demos("vector", "hybrid", 5, 8, np.random.default_rng(0))
    replay = replay_of(demos)
    batch = replay.sample(soft_model(demos.spec), np.random.default_rng(0), 2000)
    steps = {tuple(x): (e, t) for e, d in enumerate(demos) for t, x in enumerate(d.obs["vector"])}
    seen = set()
    for b in range(2000):
        e, t = steps[tuple(batch.obs["vector"][0, b])]
        seen.add((e, t))
        episode = demos.episodes[e]
        np.testing.assert_array_equal(batch.obs["vector"][1, b], episode.obs["vector"][t + 1])
        assert batch.reward[0, b] == 1
        assert batch.terminated[0, b] == (episode.terminated and t == len(episode) - 1)
        assert batch.code[0, b, 0] == pytest.approx(episode.action.continuous[t, 0])
    assert len(seen) == demos.num_steps


def test_a_step_whose_next_observation_is_unknown_is_left_out():
    demos = toy_demos("vector", "discrete", 1, 6, np.random.default_rng(0))
    episode = replace(demos.episodes[0], final_obs_known=False, end=End.TRUNCATED)
    for end, kept in ((End.TRUNCATED, len(episode) - 1), (End.TERMINATED, len(episode))):
        replay = replay_of(Demos(demos.spec, [replace(episode, end=end)]))
        assert replay.acted.sum() == kept


def test_demonstrations_without_rewards_are_refused_unless_nobody_looks():
    demos = toy_demos("vector", "discrete", 2, 6, np.random.default_rng(0))
    bare = Demos(demos.spec, [demos.episodes[0], replace(demos.episodes[1], reward=None)])
    with pytest.raises(DemoError, match="no rewards"):
        replay_of(bare)
    assert replay_of(bare, unrewarded=True).reward.sum() == len(demos.episodes[0])


@pytest.mark.parametrize(("ratio", "count"), [(0, 0), (0.25, 16), (0.5, 32), (1, 64)])
def test_demonstrations_are_mixed_in_at_a_ratio(ratio, count):
    rng = np.random.default_rng(0)
    demos = toy_demos("vector", "hybrid", 5, 8, rng)
    lived, shown = replay_of(demos), replay_of(demos)
    shown.reward += 10 * shown.acted
    batch = Mixed(lived, shown, ratio).sample(soft_model(demos.spec), rng, 64, 2)
    assert batch.shown.tolist() == [0] * (64 - count) + [1] * count
    np.testing.assert_array_equal(batch.reward[0] > 5, batch.shown == 1)
    assert batch.obs["vector"].shape == (3, 64, 4)
    assert batch.acted.shape == batch.fresh.shape == (3, 64)
    assert batch.code.shape == (2, 64, 4)


def test_a_ratio_is_a_share():
    replay, _ = lived(5, 9)
    with pytest.raises(ValueError, match="share"):
        Mixed(replay, replay, 1.5)
