"""Those who look at a run after every turn."""

import math

import numpy as np
import pytest

from understudy.errors import UnderstudyError
from understudy.learners.supervised import Supervised, SupervisedConfig
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.run import watch
from understudy.run.held_out import Likeness
from understudy.run.loop import Progress
from understudy.run.watch import HeldOut, HeldOutConfig, Keeper, Log, Sentry
from understudy.terms.clone import Clone, CloneConfig
from worlds import toy_demos


def supervised():
    demos = toy_demos("vector", "hybrid", 3, 9, np.random.default_rng(0))
    dist = Product(demos.spec.action)
    model = make_model(demos.spec, dist, NetConfig(hidden=(4,)), np.random.default_rng(0))
    learner = Supervised(model, {"clone": Clone(CloneConfig())}, SupervisedConfig(average=0.5))
    return learner, demos.rows()


def held_out(monkeypatch, *log_probs, patience=0, every=10):
    """Looks that find these likelihoods, one after the other; notes go to a list."""
    learner, rows = supervised()
    found = iter(log_probs)
    empty = np.zeros(0)

    def fake(model, rows):
        return Likeness(next(found), empty, math.nan, empty, empty)

    monkeypatch.setattr(watch, "likeness", fake)
    notes: list = []
    config = HeldOutConfig(every=every, patience=patience)
    return HeldOut(learner, rows, config, notes.append), notes


def run(held, *steps, total=1000):
    progress = Progress(total)
    for step in steps:
        progress.steps = step
        held.learner.average[:] = step
        held.see(progress, {})
    return progress


def test_the_best_weights_are_kept(monkeypatch):
    held, notes = held_out(monkeypatch, -3.0, -1.0, -2.0)
    run(held, 10, 20, 30)
    assert (held.best_step, held.best_log_prob) == (20, -1)
    assert (held.best_weights == 20).all()
    assert [n["step"] for n in notes] == [10, 20, 30]
    assert [n["held_out/log_prob"] for n in notes] == [-3, -1, -2]


def test_the_first_of_equals_is_kept_and_what_is_no_number_never(monkeypatch):
    held, _ = held_out(monkeypatch, -1.0, -1.0, math.nan)
    run(held, 10, 20, 30)
    assert held.best_step == 10


def test_it_looks_every_so_many_steps_and_at_the_end(monkeypatch):
    held, notes = held_out(monkeypatch, *[-1.0] * 9)
    run(held, 4, 9, 12, 18, 20, 35, 36, 38, total=38)
    assert [n["step"] for n in notes] == [12, 20, 35, 38]


def test_it_looks_with_the_kept_weights_and_gives_the_others_back():
    learner, rows = supervised()
    learner.average[:] = 0
    before = learner.model.flat.value.copy()
    held = HeldOut(learner, rows, HeldOutConfig(every=1), lambda line: None)
    held.see(Progress(9, steps=1), {})
    assert (held.best_weights == 0).all()
    assert (learner.model.flat.value == before).all()


def test_patience_stops_the_run_after_so_many_looks_without_a_better_one(monkeypatch):
    held, notes = held_out(monkeypatch, -2.0, -1.0, -3.0, -3.0, -3.0, patience=2)
    progress = run(held, 10, 20, 30)
    assert progress.stop is None
    progress = run(held, 40)
    assert progress.stop == "no better on held-out episodes for 2 looks (best at step 20)"
    assert len(notes) == 4


def test_a_run_goes_on_as_long_as_it_gets_better(monkeypatch):
    held, _ = held_out(monkeypatch, *range(-9, 0), patience=1)
    assert run(held, *range(10, 100, 10)).stop is None


def test_choices_and_numbers_are_noted_where_there_are_any():
    learner, rows = supervised()
    notes: list = []
    HeldOut(learner, rows, HeldOutConfig(every=1), notes.append).see(Progress(9, steps=1), {})
    assert set(notes[0]) == {
        "step",
        "held_out/log_prob",
        "held_out/accuracy",
        "held_out/explained",
    }


def test_the_best_so_far_survives_a_reload(monkeypatch):
    one, _ = held_out(monkeypatch, -1.0, -2.0)
    run(one, 10)
    other, notes = held_out(monkeypatch, -1.5)
    other.load_state_dict(one.state_dict())
    run(other, 11)
    assert not notes, "it has looked at step 10 already"
    run(other, 20)
    assert (other.best_step, other.best_log_prob) == (10, -1)
    assert (other.best_weights == 10).all()


def test_weights_that_are_not_finite_stop_the_run_with_advice():
    learner, _ = supervised()
    Sentry(learner.model.flat).see(Progress(9, steps=5), {})
    learner.model.flat.value[0] = np.nan
    with pytest.raises(UnderstudyError, match=r"before step 5; lower learner.learning_rate"):
        Sentry(learner.model.flat).see(Progress(9, steps=5), {})


def test_metrics_are_logged_every_so_many_steps_and_at_the_end():
    notes: list = []
    log = Log(notes.append, every=10)
    for step in (5, 10, 14, 25, 27):
        log.see(Progress(27, steps=step), {"agent": {"loss": step / 2}})
    assert notes == [
        {"step": 10, "loss": 5.0},
        {"step": 25, "loss": 12.5},
        {"step": 27, "loss": 13.5},
    ]


def test_several_behaviors_are_logged_by_name():
    notes: list = []
    Log(notes.append, 1).see(Progress(9, steps=1), {"cat": {"loss": 1}, "dog": {"loss": 2}})
    assert notes == [{"step": 1, "cat/loss": 1.0}, {"step": 1, "dog/loss": 2.0}]


def test_numbers_that_nobody_reads_are_not_worked_out():
    class Costly:
        def __float__(self):
            raise AssertionError

    Log(lambda line: None, 10).see(Progress(99, steps=5), {"agent": {"loss": Costly()}})


class Remembers:
    def __init__(self, value):
        self.value = value

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


def keeper(monkeypatch, every):
    now = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    saved: list = []
    made = Keeper({"a": Remembers(1)}, lambda *what: saved.append(what), every)
    return made, now, saved


def test_everything_is_saved_when_the_time_has_come(monkeypatch):
    made, now, saved = keeper(monkeypatch, 30)
    for step, time in ((1, 110), (2, 130), (3, 135), (4, 159), (5, 161)):
        now[0] = time
        made.see(Progress(99, steps=step), {})
    assert saved == [(2, {"a": {"value": 1}}), (5, {"a": {"value": 1}})]


def test_everything_is_saved_at_the_end_and_when_the_run_is_stopped(monkeypatch):
    made, _, saved = keeper(monkeypatch, 1e9)
    made.see(Progress(9, steps=8), {})
    made.see(Progress(9, steps=9), {})
    made.see(Progress(9, steps=3, stop="interrupted"), {})
    assert [step for step, _ in saved] == [9, 3]
