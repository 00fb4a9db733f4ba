"""The replay against brute force: every window is what a slot lived, and none is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import ActedBy, End
from understudy.data.spec import ActionSpec
from understudy.envs.env import one
from understudy.errors import CheckpointError, DemoError
from understudy.nets.model import NetConfig, make_model
from understudy.ops.soft_product import SoftProduct
from understudy.run import checkpoint
from understudy.run import replay as replays
from understudy.run.blocks import Blocks
from understudy.run.replay import Replay, replay_of
from understudy.run.rollouts import Cast
from worlds import CountingActor, TinyEnv, toy_demos

LENGTHS = {"agent": [[3, 2], [5], [1, 4]]}
PERIODS = {"agent": [1, 2, 3]}


def lived(moments: int, rows: int, periods=PERIODS, look=lambda replay: None):
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
        look(replay)
        now = env.step(actions)
    return replay, diary


def soft_model(spec, memory=0):
    net = NetConfig(hidden=(4,), memory=memory)
    return make_model(spec, SoftProduct(spec.action), net, np.random.default_rng(0))


def model_of(replay: Replay):
    return soft_model(one(TinyEnv(LENGTHS, PERIODS, ActionSpec(branches=(8,))).behaviors))


def windows_of(diary, rows: int, length: int, burn_in: int = 0):
    """Every window that may be drawn, by the observation of its first row to learn from."""
    found = {}
    for slot in diary:
        kept = slot[-rows:]
        for first in range(burn_in, len(kept) - length):
            if kept[first]["acted"]:
                found[tuple(kept[first]["obs"])] = kept[first - burn_in : first + length + 1]
    return found


@pytest.mark.parametrize(
    ("length", "burn_in", "n_step"), [(1, 0, 1), (3, 0, 1), (1, 0, 3), (2, 2, 2)]
)
@pytest.mark.parametrize("rows", [6, 9, 200])
@pytest.mark.parametrize("periods", [PERIODS, {"agent": [1, 1, 1]}], ids=["apart", "in step"])
def test_every_window_is_what_was_lived_and_none_is_left_out(
    rows, length, burn_in, n_step, periods
):
    replay, diary = lived(80, rows, periods)
    behind = length + n_step - 1
    wanted = windows_of(diary, rows, behind, burn_in)
    draw = np.random.default_rng(0)
    batch = replay.sample(model_of(replay), draw, 4000, length, burn_in, n_step)
    obs = batch.obs["obs"]
    assert obs.shape == (burn_in + behind + 1, 4000, 3)
    assert (batch.burn_in, batch.length, batch.n_step) == (burn_in, length, n_step)
    found = {tuple(x) for x in obs[burn_in].tolist()}
    assert found == set(wanted)
    for b in range(0, 4000, 7):
        window = wanted[tuple(obs[burn_in, b].tolist())]
        for t, row in enumerate(window):
            assert obs[t, b].tolist() == row["obs"]
            assert batch.fresh[t, b] == row["fresh"]
            if t < burn_in + behind:
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
    with pytest.raises(ValueError, match="0 rows before it and 3 rows behind"):
        replay.sample(model, rng, 2, length=3)


def same(one_: Replay, other: Replay):
    """Whether two replays hold the same rows and draw the same windows."""
    model = model_of(one_)
    batches = [r.sample(model, np.random.default_rng(3), 64, 2) for r in (one_, other)]
    for name in ("code", "acted", "fresh", "reward", "terminated"):
        np.testing.assert_array_equal(*(getattr(batch, name) for batch in batches))
    np.testing.assert_array_equal(other.count, one_.count)
    for name, x in one_.obs.items():
        np.testing.assert_array_equal(other.obs[name], x)
    np.testing.assert_array_equal(other.action.discrete, one_.action.discrete)


@pytest.mark.parametrize("kept", ["whole", "in blocks"])
@pytest.mark.parametrize("moments", [5, 80])
def test_a_replay_goes_on_from_its_state(moments, kept, tmp_path):
    replay, _ = lived(moments, 9)
    other, _ = lived(0, 9)
    if kept == "in blocks":
        for r in (replay, other):
            r.keep_in(Blocks(tmp_path / "rows", tmp_path / "checkpoints"))
    checkpoint.save(tmp_path / "checkpoints", 1, {"replay": replay.state_dict()})
    other.load_state_dict(checkpoint.load(tmp_path / "checkpoints").state["replay"])
    same(replay, other)
    # And it goes on being the same when more is written.
    env = TinyEnv(LENGTHS, action=ActionSpec(branches=(8,)))
    for r in (replay, other):
        r.see(one(env.reset(0)))
    same(replay, other)


@pytest.mark.parametrize("rows", [7, 300])
@pytest.mark.parametrize("periods", [PERIODS, {"agent": [1, 1, 1]}], ids=["apart", "in step"])
def test_whenever_it_is_kept_in_blocks_it_comes_back_as_it_was(
    periods, rows, tmp_path, monkeypatch
):
    monkeypatch.setattr(replays, "BLOCK_BYTES", 200)
    blocks = Blocks(tmp_path / "rows", tmp_path / "checkpoints")
    rng, states = np.random.default_rng(0), []

    def keep(replay):
        replay.keep_in(blocks)
        if rng.random() < 0.3:
            states.append(replay.state_dict())
            checkpoint.save(blocks.checkpoints, len(states), {"replay": states[-1]}, keep=2)
            fresh, _ = lived(0, rows, periods)
            fresh.keep_in(blocks)
            fresh.load_state_dict(checkpoint.load(blocks.checkpoints).state["replay"])
            if replay.count.min() > 3:
                same(replay, fresh)
            # One that was resumed goes on with the same files.
            assert fresh.state_dict()["blocks"] == states[-1]["blocks"]

    lived(120, rows, periods, look=keep)
    assert len(states) > 20
    # Of two checkpoints that are there every piece is there, and hardly another.
    wanted = {name for state in states[-2:] for name in state["blocks"]}
    there = {path.stem for path in blocks.folder.iterdir()}
    assert wanted <= there
    assert len(there - wanted) <= len(states[-3]["blocks"])


def test_what_did_not_change_is_not_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(replays, "BLOCK_BYTES", 200)
    written = []

    class Counting(Blocks):
        def put(self, arrays):
            written.append(len(arrays["reward"]))
            return super().put(arrays)

    replay, _ = lived(60, 300)
    replay.keep_in(Counting(tmp_path, tmp_path / "none"))
    replay.state_dict()
    pieces = len(written)
    assert pieces > 10
    replay.state_dict()
    # The newest row of every slot may have changed, whichever piece it is in.
    assert len(written) - pieces <= replay.slots


def test_rows_in_a_folder_are_as_in_memory(tmp_path):
    spec = one(TinyEnv(LENGTHS, PERIODS, ActionSpec(branches=(8,))).behaviors)
    (in_memory, _), on_disk = lived(80, 9), Replay(spec, 9, 3, folder=tmp_path / "rows")
    on_disk.load_state_dict(in_memory.state_dict())
    same(in_memory, on_disk)
    # Nothing that takes room is in memory: the arrays are of the files.
    assert {path.name for path in (tmp_path / "rows").iterdir()} >= {"obs-0.npy", "reward.npy"}
    assert np.load(tmp_path / "rows" / "obs-0.npy").tolist() == in_memory.obs["obs"].tolist()


def test_a_memory_is_recorded_with_the_row_that_it_came_to():
    spec = one(TinyEnv({"agent": [[5], [3]]}, action=ActionSpec(branches=(8,))).behaviors)
    model = soft_model(spec, memory=2)
    env = TinyEnv({"agent": [[5], [3]]}, action=ActionSpec(branches=(8,)))
    replay = Replay(spec, 50, 2, model.memory)
    now, action = env.reset(0), Action.zeros(spec.action, 2)
    for step in range(20):
        moment = one(now)
        replay.see(moment)
        memory = {name: np.full((2, 2), step, np.float32) for name in model.memory}
        replay.do(moment.slots, action, memory)
        now = env.step({"agent": action})
    batch = replay.sample(model, np.random.default_rng(0), 100, 2, burn_in=1)
    for name in model.memory:
        rows = batch.state[name][:, 0].astype(int)
        seen = batch.obs["obs"][0]
        slots = seen[:, 0].astype(int)
        np.testing.assert_array_equal(replay.obs["obs"][rows, slots], seen)


def test_who_has_not_recorded_a_memory_begins_with_an_empty_one():
    demos = toy_demos("vector", "hybrid", 5, 8, np.random.default_rng(0))
    model = soft_model(demos.spec, memory=2)
    batch = replay_of(demos).sample(model, np.random.default_rng(0), 10, 2)
    assert {name: s.shape for name, s in batch.state.items()} == dict.fromkeys(
        model.memory, (10, 2)
    )
    assert not any(s.any() for s in batch.state.values())


def test_the_state_of_another_size_is_refused():
    replay, _ = lived(80, 9)
    other, _ = lived(0, 12)
    with pytest.raises(ValueError, match="does not fit"):
        other.load_state_dict(replay.state_dict())


def test_rows_that_are_kept_elsewhere_are_asked_for(tmp_path):
    replay, _ = lived(80, 9)
    replay.keep_in(Blocks(tmp_path / "rows", tmp_path / "checkpoints"))
    state = replay.state_dict()
    other, _ = lived(0, 9)
    with pytest.raises(CheckpointError, match="kept in a folder of the run"):
        other.load_state_dict(state)


@pytest.mark.parametrize(("length", "burn_in", "n_step"), [(1, 0, 1), (2, 3, 1), (1, 0, 5)])
def test_every_shown_step_is_learned_from_however_long_windows_are(length, burn_in, n_step):
    # In a closed replay the first episode follows the last, so none has too little around it.
    demos = toy_demos("vector", "hybrid", 2, 5, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    batch = replay_of(demos).sample(soft_model(demos.spec), rng, 500, length, burn_in, n_step)
    found = {tuple(x) for x in batch.obs["vector"][burn_in].tolist()}
    assert found == {tuple(x) for demo in demos for x in demo.obs["vector"][:-1].tolist()}
    # The row before an episode begins is one on which nothing was done.
    t, b = np.nonzero(batch.fresh[1:])
    assert not batch.acted[t, b].any()


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


def test_what_came_of_a_step_came_of_what_was_executed():
    demos = toy_demos("vector", "discrete", 2, 5, np.random.default_rng(0))
    noisy = [
        replace(e, proposed=Action(e.action.continuous, (e.action.discrete + 1) % 2)) for e in demos
    ]
    replay = replay_of(Demos(demos.spec, noisy))
    rows = demos.rows()
    acted = rows.acted
    assert (replay.action.discrete[acted, 0] == rows.action.discrete[acted]).all()


def test_steps_on_which_nobody_said_what_to_do_are_not_drawn_as_shown():
    demos = toy_demos("vector", "discrete", 1, 6, np.random.default_rng(0))
    (episode,) = demos
    who = np.full(len(episode), ActedBy.LEARNER, np.uint8)
    who[1] = ActedBy.UNLABELED
    replay = replay_of(Demos(demos.spec, [replace(episode, acted_by=who)]))
    assert not replay.acted[1, 0]
    assert replay.acted[0, 0]
    assert replay.acted[2, 0]
