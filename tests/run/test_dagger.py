"""DAgger: what it learns, what it records, and that it goes on as if nobody had stopped it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.actor import Fixed
from understudy.data.demos import Demos
from understudy.data.episode import ActedBy, End, check_episode
from understudy.data.formats.native import read_demos
from understudy.envs.actors import random_actor
from understudy.envs.gym import GymEnv
from understudy.errors import CheckpointError, DemoError, UnderstudyError
from understudy.learners.supervised import SupervisedConfig
from understudy.nets.model import NetConfig
from understudy.run.dagger import DAgger, DAggerConfig
from understudy.run.folder import RunFolder
from understudy.run.gates import GateConfig
from understudy.run.labels import LABELS, OWN, labels_in
from understudy.run.session import Logs, learn_in
from understudy.run.source import OfflineConfig
from understudy.worlds.experts import scripted
from worlds import CueEnv, TinyEnv, toy_demos

GATES = [
    GateConfig(),
    GateConfig(kind="takeover"),
    GateConfig(kind="doubt", threshold=1e-4, members=2),
    GateConfig(kind="discrepancy", threshold=0.5),
    GateConfig(kind="budget", share=0.5, members=2),
]


def quiet(line):
    pass


def config(**changes):
    return DAggerConfig(
        **{
            "rounds": 3,
            "labels": 40,
            "slots": 2,
            "updates": 30,
            "trials": 0,
            "net": NetConfig(hidden=(8,)),
            "source": OfflineConfig(batch_size=16, length=5, turn=10),
            **changes,
        }
    )


def run_of(note=quiet, env=None, expert=None, demos=None, **changes):
    settings = config(**changes)
    env = env or GymEnv("CartPole-v1", settings.slots)
    expert = expert or scripted(env.env_id, env.behaviors["agent"])
    return DAgger(env, expert, settings, note, demos=demos)


def weights(run):
    run.use()
    return run.model.flat.value.copy()


class Seldom(Fixed):
    """The scripted expert of the pole, which speaks only where the pole leans."""

    def act(self, obs, state, fresh):
        self.spoke = np.abs(obs["obs"][:, 2]) > 0.03
        return super().act(obs, state, fresh)


def seldom():
    return Seldom(lambda obs: right(obs["obs"] @ np.array([0.1, 0.3, 3.0, 1.0]) > 0))


def right(choice):
    return Action(np.zeros((len(choice), 0), np.float32), choice.astype(np.int64)[:, None])


# What is asked and recorded


def test_every_round_has_its_labels_and_the_expert_acts_in_the_first_alone():
    made = run_of()
    made.learn()
    assert [made.labels.count(r) for r in range(3)] == [40, 40, 40]
    first, *later = made.labels.episodes
    assert {int(w) for e in first for w in e.acted_by} == {ActedBy.SCRIPT}
    assert {int(w) for some in later for e in some for w in e.acted_by} == {ActedBy.LEARNER}


def test_labels_are_what_the_expert_says_and_executed_is_what_was_done():
    made = run_of(rounds=2)
    made.learn()
    differs = 0
    for episode in made.labels.of(1):
        check_episode(episode, made.labels.spec)
        said = scripted("CartPole-v1", made.labels.spec).act(
            {name: x[:-1] for name, x in episode.obs.items()}, {}, np.zeros(len(episode), bool)
        )[0]
        assert (episode.meant.discrete == said.discrete).all()
        differs += (episode.meant.discrete != episode.action.discrete).sum()
    assert differs > 0


def test_living_an_episode_again_from_its_seed_and_executed_actions_sees_the_same():
    made = run_of(rounds=2)
    made.learn()
    import gymnasium

    episode = made.labels.of(1)[0]
    world = gymnasium.make("CartPole-v1")
    seen = [world.reset(seed=episode.seed)[0]]
    seen += [world.step(int(a))[0] for a in episode.action.discrete[:, 0]]
    assert np.array_equal(np.array(seen), episode.obs["obs"])


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.kind)
def test_what_was_recorded_is_what_was_learned_from(gate, tmp_path):
    made = run_of(expert=seldom(), gate=gate, most_steps=150)
    made.keep_in(tmp_path, tmp_path)
    made.learn()
    stored = list(read_demos(tmp_path / LABELS))
    own = list(read_demos(tmp_path / OWN))
    lived = made.labels.until(2)
    assert len(stored) == len(lived) == len(own)
    for a, b, o in zip(lived, stored, own, strict=True):
        assert np.array_equal(a.obs["obs"], b.obs["obs"])
        assert np.array_equal(a.action.discrete, b.action.discrete)
        assert np.array_equal(a.meant.discrete, b.meant.discrete)
        assert np.array_equal(a.acted_by, b.acted_by)
        assert (a.end, a.seed, a.info) == (b.end, b.seed, b.info)
        taught = np.isin(a.acted_by, [ActedBy.LEARNER, ActedBy.UNLABELED])
        assert (o.action.discrete[taught] == a.action.discrete[taught]).all()
    rows = Demos(made.labels.spec, lived).rows().labeled
    source = made.pupils.members[0].source
    assert source is not None
    assert rows.acted.sum() == made.labels.total == source.windows.shape[1]


def test_a_gate_of_doubt_asks_less_and_its_unlabeled_steps_teach_nothing():
    made = run_of(gate=GateConfig(kind="doubt", threshold=0.05, members=2), most_steps=100)
    made.learn()
    unlabeled = sum((e.acted_by == ActedBy.UNLABELED).sum() for e in made.labels.until(2))
    overruled = [e.acted_by == ActedBy.SCRIPT for e in made.labels.of(2)]
    assert unlabeled > 0
    assert sum(map(labels_in, made.labels.of(2))) == sum(o.sum() for o in overruled)


def test_a_round_ends_with_its_episodes_or_steps_too():
    made = run_of(env=TinyEnv({"agent": [[3], [5]]}), expert=tiny_expert(), episodes=3, rounds=2)
    made.learn()
    for r in range(2):
        ended = [e.end is not End.OPEN for e in made.labels.of(r)]
        assert sum(ended) == 3
    made = run_of(expert=seldom(), gate=GateConfig(kind="takeover"), most_steps=30, slots=1)
    made.learn()
    assert [sum(map(len, made.labels.of(r))) for r in range(3)] == [30, 30, 30]


def tiny_expert():
    return Fixed(
        lambda obs: Action(
            np.zeros((len(obs["obs"]), 0), np.float32), obs["obs"][:, 2:].astype(np.int64)
        )
    )


def test_slots_that_speak_at_their_own_pace_are_recorded_each_by_itself():
    env = TinyEnv({"agent": [[3], [5]]}, {"agent": [1, 2]})
    made = run_of(env=env, expert=tiny_expert(), rounds=1, labels=25, beta=(0.0,))
    made.learn()
    assert made.labels.total == 25
    for episode in made.labels.of(0):
        assert (episode.meant.discrete[:, 0] == episode.obs["obs"][:-1, 2]).all()
        assert (episode.obs["obs"][:, 0] == episode.agent).all()
        steps = episode.obs["obs"][:, 2]
        assert all(b == a + 1 for a, b in pairwise(steps))


def test_demonstrations_are_the_first_round_and_nobody_is_asked_in_it():
    demos = Demos(run_of().labels.spec, run_first().labels.until(0))
    asked = []

    def choose(obs):
        asked.append(len(obs["obs"]))
        return right(obs["obs"][:, 2] > 0)

    made = run_of(demos=demos, expert=Fixed(choose), rounds=2, beta=(0.0,))
    made.learn()
    assert made.labels.count(0) == demos.num_steps
    assert sum(asked) == made.labels.count(1) == 40


def run_first():
    made = run_of(rounds=1)
    made.learn()
    return made


def test_demonstrations_of_another_task_are_refused():
    demos = toy_demos("vector", "continuous", 2, 4, np.random.default_rng(0))
    with pytest.raises(DemoError, match="do not fit the environment"):
        run_of(demos=demos)


def test_an_expert_that_never_says_anything_is_an_error_in_one_line():
    class Silent(Fixed):
        spoke = np.zeros(1, bool)

    silent = Silent(lambda obs: right(obs["obs"][:, 2] > 0))
    with pytest.raises(UnderstudyError, match="has not said anything yet"):
        run_of(expert=silent, slots=1, most_steps=20).learn()


@pytest.mark.parametrize(
    ("beta", "decay", "expected"),
    [
        ((1.0,), 0.0, [1, 0, 0, 0]),
        ((1.0,), 0.5, [1, 0.5, 0.25, 0.125]),
        ((0.9, 0.6, 0.3), 0.0, [0.9, 0.6, 0.3, 0]),
        ((0.5,), 1.0, [0.5, 0.5, 0.5, 0.5]),
    ],
)
def test_the_expert_acts_by_a_schedule(beta, decay, expected):
    made = config(beta=beta, beta_decay=decay)
    assert [made.expert_share(r) for r in range(4)] == pytest.approx(expected)


# What it learns


@pytest.mark.parametrize("start", ["anew", "warm"])
def test_it_learns_to_balance_a_pole_from_few_labels(start):
    lines: list = []
    made = run_of(
        lines.append, labels=200, slots=4, updates=1000, trials=10, start=start, net=NetConfig()
    )
    made.learn()
    trials = [(line["labels"], line["trial/return"]) for line in lines if "trial/return" in line]
    assert [labels for labels, _ in trials] == [200, 400, 600]
    assert trials[-1][1] >= 490


@pytest.mark.parametrize("kind", ["vector", "image", "entities"])
@pytest.mark.parametrize("action", ["continuous", "hybrid", "masked"])
@pytest.mark.parametrize("memory", [0, 6])
def test_it_sees_does_and_remembers_anything(kind, action, memory):
    env = CueEnv(kind, action)
    made = run_of(
        env=env,
        expert=random_actor(env.behaviors["agent"]),
        rounds=2,
        updates=4,
        net=NetConfig(hidden=(8,), memory=memory),
        gate=GateConfig(kind="budget", share=0.5, members=2),
        beta=(0.5,),
    )
    made.learn()
    assert made.labels.count(1) == 40
    assert np.isfinite(weights(made)).all()


def test_a_memory_learns_through_unlabeled_steps_at_no_weight():
    env = GymEnv("understudy.worlds.tasks:HiddenCartPole-v0", 2)
    made = run_of(
        env=env,
        rounds=2,
        net=NetConfig(hidden=(8,), memory=6),
        gate=GateConfig(kind="budget", share=0.3, members=2),
    )
    made.learn()
    source = made.pupils.members[0].source
    assert source is not None
    batches = [source.draw() for _ in range(20)]
    assert any((b.acted == 0).any() for b in batches)
    assert all((b.acted > 0).any(0).all() for b in batches)


# Going on


def in_folder(path, **changes):
    where = path.parent, path.name
    exists = path.exists()
    folder = RunFolder.open(*where) if exists else RunFolder.create(*where, "method: dagger\n")
    return run_of(**changes), folder


def learned_in(path, stop=None, **changes):
    made, folder = in_folder(path, **changes)
    with folder:
        outcome = learn_in(folder, made, Logs(), [] if stop is None else [StopAt(stop)])
    return made, outcome


class StopAt:
    def __init__(self, step):
        self.step = step

    def see(self, progress, metrics):
        if progress.steps >= self.step:
            progress.stop = "interrupted"


ENSEMBLE = GateConfig(kind="budget", share=0.6, members=2)


@pytest.mark.parametrize("start", ["anew", "warm"])
@pytest.mark.parametrize("gate", [GateConfig(), ENSEMBLE], ids=lambda gate: gate.kind)
@pytest.mark.parametrize("memory", [0, 5])
def test_more_rounds_later_are_the_same_as_all_at_once(tmp_path, start, gate, memory):
    same = {
        "start": start,
        "gate": gate,
        "net": NetConfig(hidden=(8,), memory=memory),
        "sampled": True,
        "beta": (0.7, 0.3),
        "trials": 2,
    }
    straight, _ = learned_in(tmp_path / "straight", rounds=4, **same)
    learned_in(tmp_path / "parts", rounds=2, **same)
    parts, _ = learned_in(tmp_path / "parts", rounds=4, **same)
    assert np.array_equal(weights(straight), weights(parts))
    assert parts.labels.total == straight.labels.total
    one, other = (list(read_demos(tmp_path / n / LABELS)) for n in ("straight", "parts"))
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.obs["obs"], b.obs["obs"])
        assert np.array_equal(a.meant.discrete, b.meant.discrete)


@pytest.mark.parametrize("stop", [10, 30, 40, 60])
@pytest.mark.parametrize("start", ["anew", "warm"])
def test_stopped_between_any_two_updates_it_ends_the_same(tmp_path, stop, start):
    same = {"start": start, "gate": ENSEMBLE}
    straight, _ = learned_in(tmp_path / "straight", **same)
    _, outcome = learned_in(tmp_path / "parts", stop=stop, **same)
    assert outcome.interrupted
    assert outcome.steps == stop
    parts, _ = learned_in(tmp_path / "parts", **same)
    assert np.array_equal(weights(straight), weights(parts))


class Impatient(Fixed):
    """Calls somebody once it has been asked so many times."""

    def __init__(self, choose, times, call):
        super().__init__(choose)
        self.times, self.call = times, call

    def act(self, obs, state, fresh):
        self.times -= 1
        if not self.times:
            self.call()
        return super().act(obs, state, fresh)


def leaning(obs):
    return right(obs["obs"] @ np.array([0.1, 0.3, 3.0, 1.0]) > 0)


def test_a_round_that_is_told_to_stop_keeps_what_was_said_and_is_filled_up_later(tmp_path):
    expert = Impatient(leaning, 50, lambda: setattr(made.progress, "stop", "interrupted"))
    made, folder = in_folder(tmp_path / "run", slots=1, expert=expert)
    with folder:
        outcome = learn_in(folder, made, Logs())
    assert outcome.interrupted
    assert [made.labels.count(r) for r in range(2)] == [40, 10]
    again, _ = learned_in(tmp_path / "run", slots=1, expert=Fixed(leaning))
    assert [again.labels.count(r) for r in range(3)] == [40, 40, 40]
    first, second = again.labels.of(1)[0], again.labels.of(1)[1]
    assert (len(first), first.end) == (10, End.OPEN)
    assert second.seed != first.seed, "the start that was seen already is not seen again"


class CrashError(Exception):
    pass


def test_a_round_that_dies_keeps_what_was_said(tmp_path):
    def die():
        raise CrashError

    made, folder = in_folder(tmp_path / "run", slots=1, expert=Impatient(leaning, 50, die))
    with folder, pytest.raises(CrashError):
        learn_in(folder, made, Logs())
    assert [labels_in(e) for e in read_demos(tmp_path / "run" / LABELS)] == [40, 9]
    again, _ = learned_in(tmp_path / "run", slots=1, expert=Fixed(leaning))
    assert [again.labels.count(r) for r in range(3)] == [40, 40, 40]


def test_a_recording_that_is_ahead_of_the_checkpoint_is_not_asked_for_again(tmp_path):
    straight, _ = learned_in(tmp_path / "straight")
    learned_in(tmp_path / "ahead", rounds=1)
    # Killed after the second round's labels were recorded and before a checkpoint knew of them.
    shutil.copytree(tmp_path / "ahead", tmp_path / "killed")
    learned_in(tmp_path / "ahead", rounds=2)
    for name in (LABELS, OWN):
        shutil.copy(tmp_path / "ahead" / name, tmp_path / "killed" / name)
    asked = []

    def choose(obs):
        asked.append(len(obs["obs"]))
        return leaning(obs)

    resumed, _ = learned_in(tmp_path / "killed", expert=Fixed(choose))
    assert sum(asked) == 40, "of the third round alone"
    assert np.array_equal(weights(straight), weights(resumed))


def test_labels_that_are_gone_are_missed(tmp_path):
    learned_in(tmp_path / "run", rounds=1)
    (tmp_path / "run" / LABELS).unlink()
    with pytest.raises(CheckpointError, match="round 0 has 0 labels, the checkpoint has seen 40"):
        learned_in(tmp_path / "run", rounds=2)


def test_another_seed_is_another_run():
    one, other = run_of(seed=0), run_of(seed=1)
    for made in (one, other):
        made.learn()
    assert not np.array_equal(one.labels.of(0)[0].obs["obs"], other.labels.of(0)[0].obs["obs"])
    assert not np.array_equal(weights(one), weights(other))


def test_what_is_tried_after_a_round_changes_nothing():
    with_trials, without = run_of(trials=3), run_of(trials=0)
    for made in (with_trials, without):
        made.learn()
    assert np.array_equal(weights(with_trials), weights(without))


def test_the_step_size_falls_over_every_round_anew():
    lines: list = []
    made = run_of(
        lines.append,
        updates=20,
        learner=SupervisedConfig(learning_rate=1.0, schedule="linear", max_grad_norm=1e-9),
        keep=replace(config().keep, log_every=10),
    )
    made.learn()
    rates = [round(line["learning_rate"], 3) for line in lines if "learning_rate" in line]
    assert rates == [0.55, 0.05] * 3
