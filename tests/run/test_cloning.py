"""Putting a cloning run together, resuming it exactly, and what it comes to."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End, check_episode
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import CheckpointError, DemoError
from understudy.learners.supervised import SupervisedConfig
from understudy.nets.model import NetConfig
from understudy.ops.product import Product
from understudy.run import checkpoint
from understudy.run.cloning import BCConfig, Cloning, action_units, piece, split
from understudy.run.source import OfflineConfig
from understudy.run.watch import HeldOutConfig, Keeper
from worlds import episode_of, toy_demos

NUMBERS = Spec(obs={"obs": Obs(kind="vector", shape=())}, action=ActionSpec(continuous=1))


def numbers(*actions, **facts):
    return episode_of(NUMBERS, np.arange(len(actions) + 1), continuous=actions, **facts)


def quiet(line):
    pass


def config(**changes):
    return BCConfig(
        **{
            "steps": 60,
            "net": NetConfig(hidden=(8,)),
            "source": OfflineConfig(batch_size=16, length=5, turn=10),
            "held_out": HeldOutConfig(every=20, fraction=0.25),
            **changes,
        }
    )


def demos_of(kind="vector", action="hybrid", seed=0, memory_task=False):
    return toy_demos(kind, action, 8, 12, np.random.default_rng(seed), memory_task)


def cloning(demos=None, note=quiet, **changes):
    demos = demos_of() if demos is None else demos
    return Cloning(demos.spec, demos, config(**changes), note)


# What is learned from


def test_whole_episodes_are_held_out():
    demos = Demos(NUMBERS, [numbers(*[e] * 3) for e in range(10)])
    made = split(demos, 0.3, np.random.default_rng(0))
    assert made.held is not None
    learned = set(made.learned.action.continuous[made.learned.acted, 0])
    held = set(made.held.action.continuous[made.held.acted, 0])
    assert len(held) == 3
    assert learned | held == set(range(10))
    assert not learned & held
    assert made.note is None


def test_episodes_without_a_step_are_left_out():
    demos = Demos(NUMBERS, [numbers(), numbers(1, 2), numbers(), numbers(3, 4)])
    made = split(demos, 0.5, np.random.default_rng(0))
    assert made.held is not None
    assert made.learned.fresh.sum() == made.held.fresh.sum() == 1
    with pytest.raises(DemoError, match="no step in any episode"):
        split(Demos(NUMBERS, [numbers(), numbers()]), 0.5, np.random.default_rng(0))


def test_a_single_episode_lends_its_last_part_and_says_so():
    demos = Demos(NUMBERS, [numbers(*range(10), end=End.TERMINATED)])
    made = split(demos, 0.2, np.random.default_rng(0))
    assert made.held is not None
    assert made.learned.action.continuous[made.learned.acted, 0].tolist() == list(range(8))
    assert made.held.action.continuous[made.held.acted, 0].tolist() == [8, 9]
    assert made.learned.obs["obs"].tolist() == list(range(9))
    assert made.held.obs["obs"].tolist() == [8, 9, 10]
    assert made.note is not None
    assert "its last 2 steps were held out; they are no independent test" in made.note


def test_nothing_is_held_out_of_a_single_step_or_where_nothing_was_asked_for():
    one = split(Demos(NUMBERS, [numbers(1)]), 0.5, np.random.default_rng(0))
    assert one.held is None
    assert one.note == "nothing was held out: there is a single step"
    two = Demos(NUMBERS, [numbers(1), numbers(2)])
    none = split(two, 0, np.random.default_rng(0))
    assert none.held is None
    assert none.note == "nothing was held out, as asked"
    assert none.learned.acted.sum() == 2


def test_a_piece_of_an_episode_is_an_episode():
    whole = replace(
        numbers(0, 1, 2, 3, 4, end=End.TERMINATED, reward=np.arange(5.0), final_obs_known=False),
        proposed=Action(np.full((5, 1), 7, np.float32), np.zeros((5, 0), np.int64)),
    )
    first, last = piece(whole, 0, 2), piece(whole, 2, 5)
    for made in (first, last):
        check_episode(made, NUMBERS)
        assert made.meant.continuous.tolist() == [[7]] * len(made)
    assert first.obs["obs"].tolist() == [0, 1, 2]
    assert last.obs["obs"].tolist() == [2, 3, 4, 5]
    assert last.action.continuous[:, 0].tolist() == [2, 3, 4]
    assert (first.return_, last.return_) == (1, 9)
    assert (first.end, last.end) == (End.OPEN, End.TERMINATED)
    assert (first.final_obs_known, last.final_obs_known) == (True, False)


def test_only_the_best_episodes_are_learned_from():
    episodes = [numbers(*[e] * 2, reward=np.full(2, e, np.float32)) for e in range(10)]
    made = cloning(Demos(NUMBERS, episodes), best=0.4)
    parts = (made.split.learned, made.split.held)
    seen = {x for rows in parts if rows is not None for x in rows.action.continuous[rows.acted, 0]}
    assert seen == {6, 7, 8, 9}


def test_demonstrations_that_do_not_fit_the_environment_are_refused():
    demos = demos_of()
    with pytest.raises(DemoError, match="do not fit the environment: observation 'obs' is missing"):
        Cloning(NUMBERS, demos, config(), quiet)


# Units


def test_actions_are_coded_by_their_bounds_or_by_what_was_shown():
    action = ActionSpec(continuous=4, low=(-2, -np.inf, 0, -np.inf), high=(4, np.inf, np.inf, 1))
    spec = Spec(obs=NUMBERS.obs, action=action)
    shown = [[0, 10, 1, 0], [1, 14, 3, 0], [9, 99, 9, 9]]
    rows = Demos(spec, [episode_of(spec, [0, 1, 2], continuous=shown[:2])]).rows()
    center, scale = action_units(action, rows)
    assert center is not None
    assert scale is not None
    assert center.tolist() == [1, 12, 2, 0]
    assert scale.tolist() == [3, 2, 1, 1]


@pytest.mark.parametrize("constant", [0.1, -12345.678, 1e-12, 0.0])
def test_a_number_that_only_rounding_varies_keeps_its_scale(constant):
    rows = Demos(NUMBERS, [numbers(*[constant] * 1001)]).rows()
    center, scale = action_units(NUMBERS.action, rows)
    assert scale == [1]
    assert center == pytest.approx([constant])
    rows.action.continuous[::2] *= 1.5
    if constant:
        assert action_units(NUMBERS.action, rows)[1] == pytest.approx([abs(constant) / 4], rel=0.01)


# What it comes to


def test_a_run_learns_and_keeps_what_was_best_on_held_out_episodes():
    notes: list = []
    made = cloning(note=notes.append, steps=400)
    before = made.report()
    assert made.learn() > 0
    made.use("best")
    after = made.report()
    assert before is not None
    assert after is not None
    assert after.policy.log_prob > before.policy.log_prob + 0.3
    assert after.policy.log_prob > after.commonest.log_prob
    looks = {n["step"]: n["held_out/log_prob"] for n in notes if "held_out/log_prob" in n}
    assert list(looks) == list(range(20, 401, 20))
    assert made.held_out is not None
    assert made.held_out.best_log_prob == max(looks.values())
    assert looks[made.held_out.best_step] == made.held_out.best_log_prob
    assert after.policy.log_prob == pytest.approx(max(looks.values()), abs=1e-6)


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_best_and_last_can_be_had_in_any_order(average):
    made = cloning(steps=60, learner=SupervisedConfig(average=average))
    made.learn()
    value, learning = made.model.flat.value, made.model.flat.value.copy()
    seen: dict = {}
    for which in ("last", "best", "last", "best"):
        made.use(which)
        assert (value == seen.setdefault(which, value.copy())).all()
    assert made.held_out is not None
    assert (seen["best"] == made.held_out.best_weights).all()
    assert (seen["last"] == learning).all() == (average == 0)


def test_where_nothing_was_looked_at_the_last_weights_are_the_best():
    made = cloning()
    first = made.model.flat.value.copy()
    StopAt(made, 3)
    made.learn()
    assert made.progress.steps == 3
    made.use("best")
    assert (made.model.flat.value == made.learner.average).all()
    assert (made.model.flat.value != first).any()


def test_a_run_without_held_out_episodes_uses_the_last_weights():
    made = cloning(held_out=HeldOutConfig(fraction=0))
    made.learn()
    assert made.held_out is None
    assert made.report() is None
    made.use("best")
    assert (made.model.flat.value == made.learner.average).all()


def test_early_stopping_ends_the_run():
    made = cloning(steps=10_000, held_out=HeldOutConfig(fraction=0.25, every=10, patience=3))
    made.learner.update = lambda batch, progress: {}
    made.learn()
    assert made.progress.steps == 40
    assert made.progress.stop is not None
    assert "best at step 10" in made.progress.stop


def test_a_run_that_gave_up_is_over_also_after_it_is_resumed():
    looks = HeldOutConfig(fraction=0.25, every=10, patience=2)
    made = cloning(steps=10_000, held_out=looks, learner=SupervisedConfig(learning_rate=1.0))
    made.learn()
    assert 0 < made.progress.steps < 10_000
    state = made.state_dict()
    again = cloning(steps=10_000, held_out=looks)
    again.load_state_dict(state)
    again.learn()
    assert again.progress.steps == made.progress.steps
    assert again.progress.stop == made.progress.stop
    patient = cloning(steps=10_000, held_out=replace(looks, patience=9))
    patient.load_state_dict(state)
    assert not patient.progress.done


def test_looks_happen_where_turns_end():
    notes: list = []
    made = cloning(note=notes.append, held_out=HeldOutConfig(fraction=0.25, every=15))
    made.learn()
    assert [n["step"] for n in notes if "held_out/log_prob" in n] == [20, 40, 60]


def test_a_watcher_that_stops_the_run_is_heeded_before_the_last_checkpoint():
    saved: list = []
    made = cloning()

    class Stop:
        def see(self, progress, metrics):
            progress.stop = "seen enough"

    made.learn(Keeper(made.parts, lambda *what: saved.append(what), 1e9), (Stop(),))
    assert [step for step, _ in saved] == [10]


def test_everything_is_decided_by_the_seed():
    weights = []
    for seed in (0, 0, 1):
        made = cloning(seed=seed)
        made.learn()
        weights.append(made.model.flat.value.tobytes())
    assert weights[0] == weights[1] != weights[2]


# Exact resume


KINDS: dict[str, dict[str, Any]] = {
    "vector": {},
    "vector, masked": {"action": "masked"},
    "vector, memory": {"memory": 5, "memory_task": True},
    "image": {"kind": "image", "action": "discrete"},
    "entities, memory": {"kind": "entities", "action": "continuous", "memory": 4},
    "all, memory": {"kind": "all", "memory": 3},
}


def made_for(kind):
    want: dict[str, Any] = {"kind": "vector", "action": "hybrid", "memory": 0, **KINDS[kind]}
    net = NetConfig(hidden=(6,), memory=want["memory"], entity_width=8)
    demos = demos_of(want["kind"], want["action"], memory_task=want.get("memory_task", False))
    return lambda: cloning(demos, net=net, steps=24, held_out=HeldOutConfig(every=5, fraction=0.25))


class StopAt:
    """Stops a run within a turn, as a signal does: from inside an update."""

    def __init__(self, made, step):
        self.update, self.progress, self.step = made.learner.update, made.progress, step
        made.learner.update = self

    def __call__(self, batch, progress):
        metrics = self.update(batch, progress)
        if self.progress.steps + 1 == self.step:
            self.progress.stop = "interrupted"
        return metrics


def same(one: Any, other: Any, where: str = "") -> None:
    """Equal to the last bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert list(one) == list(other), where
        for key in one:
            same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype, where
        assert one.shape == other.shape, where
        assert one.tobytes() == other.tobytes(), where
    else:
        assert one == other, where


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stops", [(10,), (7, 13)], ids=["after a turn", "within turns"])
def test_an_interrupted_run_comes_to_the_very_same_end(kind, stops, tmp_path):
    make = made_for(kind)
    straight = make()
    straight.learn()

    def save(step, state):
        checkpoint.save(tmp_path, step, state)

    for stop in stops:
        made = make()
        if stop != stops[0]:
            made.load_state_dict(checkpoint.load(tmp_path).state)
        StopAt(made, stop)
        made.learn(Keeper(made.parts, save, 0))
        assert made.progress.steps == stop
    resumed = make()
    loaded = checkpoint.load(tmp_path)
    assert loaded.step == stops[-1]
    resumed.load_state_dict(loaded.state)
    resumed.learn()
    # The log may have one more line for an interruption; it decides nothing.
    same(
        {name: part for name, part in straight.state_dict().items() if name != "log"},
        {name: part for name, part in resumed.state_dict().items() if name != "log"},
    )
    assert straight.held_out is not None
    assert straight.held_out.best_step > 0
    for which in ("best", "last"):
        for run in (straight, resumed):
            run.use(which)
        assert straight.model.flat.value.tobytes() == resumed.model.flat.value.tobytes()


def test_a_checkpoint_of_another_run_is_refused():
    state = cloning(held_out=HeldOutConfig(fraction=0)).state_dict()
    with pytest.raises(CheckpointError, match=r"made of learner, log, .*are the settings the same"):
        cloning().load_state_dict(state)
    made = cloning()
    made.learn()
    message = "does not fit this run: .*are the settings and the demonstrations the same"
    with pytest.raises(CheckpointError, match=message):
        cloning(net=NetConfig(hidden=(9,))).load_state_dict(made.state_dict())
    with pytest.raises(CheckpointError, match=r"the order is one of \d+ windows"):
        cloning(demos_of(seed=3)).load_state_dict(made.state_dict())


def test_the_model_codes_actions_by_its_environment():
    made = cloning()
    assert made.model.dist.scale == Product(made.spec.action).scale
