"""How well a policy does what was shown, beside two actors that cannot be good by accident."""

import json
import math

import numpy as np
import pytest

from understudy.data.demos import Demos
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.nets.acting import ModelActor
from understudy.nets.model import NetConfig, make_model
from understudy.ops.product import Product
from understudy.run.cloning import action_units
from understudy.run.held_out import likeness, look_at, report
from worlds import episode_of, toy_demos

LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)


def shown(action, *episodes):
    """Rows of episodes of these actions, each a list of numbers or of choices."""
    spec = Spec(obs={"obs": Obs(kind="vector", shape=())}, action=action)
    kind = "continuous" if action.continuous else "discrete"
    made = [episode_of(spec, np.arange(len(e) + 1), **{kind: e}) for e in episodes]
    return spec, Demos(spec, made).rows()


def compared(action, learned, held):
    """The report of an untrained model."""
    spec, learned_rows = shown(action, *learned)
    _, held_rows = shown(action, *held)
    model = make_model(spec, Product(action), NetConfig(hidden=()), np.random.default_rng(0))
    return report(model, learned_rows, held_rows)


def test_the_commonest_choice_by_hand():
    # Learned 0, 0, 1; with one of each added 3/5 and 2/5. Held out 0, 1, 1, 1.
    found = compared(ActionSpec(branches=(2,)), [[0, 0, 1]], [[0, 1], [1, 1]]).commonest
    assert found.log_prob == pytest.approx((math.log(0.6) + 3 * math.log(0.4)) / 4)
    assert found.accuracy.tolist() == [0.25]
    assert found.all_right == 0.25


def test_a_choice_that_was_never_shown_is_unlikely_and_not_impossible():
    found = compared(ActionSpec(branches=(3,)), [[0, 0]], [[2]]).commonest
    assert found.log_prob == pytest.approx(math.log(1 / 5))


def test_the_previous_choice_by_hand():
    # Learned 0, 0, 1: before them 0 (the start), 0, 0. With one of each added
    # P(0 | 0) = 3/5, P(1 | 0) = 2/5, P(. | 1) = 1/2.
    # Held out 1, 1: before them 0 (the start), 1. Repeating is right once in two.
    found = compared(ActionSpec(branches=(2,)), [[0, 0, 1]], [[1, 1]]).previous
    assert found.log_prob == pytest.approx((math.log(0.4) + math.log(0.5)) / 2)
    assert found.accuracy.tolist() == [0.5]


def test_before_the_first_step_of_every_episode_the_previous_action_is_zero():
    held = [[1, 1], [1], [0, 1]]
    found = compared(ActionSpec(branches=(2,)), [[0, 1]], held).previous
    # Before them: 0, 1 | 0 | 0, 0. Right: no, yes | no | yes, no.
    assert found.accuracy.tolist() == [0.4]


def test_every_branch_counts_and_all_of_them_together():
    held = [[[0, 0], [0, 1], [1, 0]]]
    found = compared(ActionSpec(branches=(2, 2)), [[[0, 0], [0, 0]]], held).commonest
    assert found.accuracy.tolist() == pytest.approx([2 / 3, 2 / 3])
    assert found.all_right == pytest.approx(1 / 3)
    # (1 + 2) / (2 + 2) for the shown choice of either branch.
    expected = (4 * math.log(3 / 4) + 2 * math.log(1 / 4)) / 3
    assert found.log_prob == pytest.approx(expected)


def test_the_commonest_number_is_the_mean():
    # Learned 0, 2: mean 1, deviation 1. Held out 1, 2: errors 0, 1; their variance is 1/4.
    found = compared(ActionSpec(continuous=1), [[0, 2]], [[1, 2]]).commonest
    assert found.log_prob == pytest.approx(-0.25 - LOG_ROOT_2PI)
    assert found.rmse == pytest.approx([math.sqrt(0.5)])
    assert found.explained == pytest.approx([-1])
    assert math.isnan(found.all_right)


def test_the_previous_number_by_hand():
    # Learned 0, 2 after 0 (the start), 0: moved by 0, 2, deviation 1.
    # Held out 1, 2 after 0, 1: moved by 1 and 1.
    found = compared(ActionSpec(continuous=1), [[0, 2]], [[1, 2]]).previous
    assert found.log_prob == pytest.approx(-0.5 - LOG_ROOT_2PI)
    assert found.rmse == pytest.approx([1])
    assert found.explained == pytest.approx([-3])


def test_a_number_that_never_varied_has_a_likelihood_all_the_same():
    # The deviation is at least a thousandth of the scale, which is 1 without bounds.
    found = compared(ActionSpec(continuous=1), [[3, 3]], [[3]]).commonest
    assert found.log_prob == pytest.approx(math.log(1000) - LOG_ROOT_2PI)
    assert found.explained == [1], "exactly right"
    assert compared(ActionSpec(continuous=1), [[4, 4]], [[3]]).commonest.explained == [0]


def test_numbers_and_choices_add_up():
    action = ActionSpec(continuous=1, branches=(2,))
    spec = Spec(obs={"obs": Obs(kind="vector", shape=())}, action=action)
    episode = episode_of(spec, [0, 1, 2], continuous=[0, 2], discrete=[0, 0])
    rows = Demos(spec, [episode]).rows()
    model = make_model(spec, Product(action), NetConfig(hidden=()), np.random.default_rng(0))
    found = report(model, rows, rows).commonest
    assert found.log_prob == pytest.approx(-0.5 - LOG_ROOT_2PI + math.log(3 / 4))


def test_an_untrained_policy_by_hand():
    # All weights 0: both choices are equally likely, the first is the most likely one.
    spec, rows = shown(ActionSpec(branches=(2,)), [0, 1, 1])
    model = make_model(spec, Product(spec.action), NetConfig(hidden=()), np.random.default_rng(0))
    model.flat.value[:] = 0
    found = likeness(model, rows)
    assert found.log_prob == pytest.approx(math.log(0.5))
    assert found.accuracy == pytest.approx([1 / 3])


def test_the_confusion_counts_what_was_done_where_something_was_shown():
    spec, rows = shown(ActionSpec(branches=(3,)), [0, 1, 1, 2])
    model = make_model(spec, Product(spec.action), NetConfig(hidden=()), np.random.default_rng(0))
    model.flat.value[:] = 0
    found = report(model, rows, rows)
    assert found.confusion[0].tolist() == [[1, 0, 0], [2, 0, 0], [1, 0, 0]]
    assert (found.steps, found.episodes) == (4, 1)


@pytest.mark.parametrize("unit", [1000.0, 0.001])
def test_likelihood_is_in_the_units_of_the_environment(unit):
    rng = np.random.default_rng(0)
    found = []
    for scale in (1.0, unit):
        action = ActionSpec(continuous=1)
        numbers = scale * np.random.default_rng(7).normal(2, 3, 50)
        spec, rows = shown(action, numbers[:30], numbers[30:])
        dist = Product(action, *action_units(action, rows))
        model = make_model(spec, dist, NetConfig(hidden=(4,)), rng)
        model.flat.value[:] = np.random.default_rng(1).normal(0, 0.3, len(model.flat.value))
        found.append(report(model, rows, rows))
    one, other = found
    for who in ("policy", "commonest", "previous"):
        a, b = getattr(one, who), getattr(other, who)
        assert b.log_prob == pytest.approx(a.log_prob - math.log(unit), abs=1e-4)
        assert b.rmse == pytest.approx(a.rmse * unit, rel=1e-4)
        assert b.explained == pytest.approx(a.explained, abs=1e-4)


@pytest.mark.parametrize("memory", [0, 5])
def test_looking_at_all_rows_sees_what_acting_step_by_step_sees(memory, monkeypatch):
    monkeypatch.setattr("understudy.run.held_out.BLOCK_ROWS", 7)
    demos = toy_demos("vector", "hybrid", 4, 9, np.random.default_rng(3))
    config = NetConfig(hidden=(6,), memory=memory)
    model = make_model(demos.spec, Product(demos.spec.action), config, np.random.default_rng(2))
    model.flat.value += np.random.default_rng(5).normal(0, 0.3, len(model.flat.value))
    heads = look_at(model, demos.rows())
    actor, row = ModelActor(model), 0
    act = model.actor(1)
    for episode in demos:
        state = actor.start(1)
        for t in range(len(episode) + 1):
            obs = {name: x[t : t + 1] for name, x in episode.obs.items()}
            head, state = act(obs, state, np.array([t == 0]))
            np.testing.assert_allclose(heads[row], np.asarray(head)[0], atol=1e-5)
            row += 1
    assert row == len(heads)


def test_a_report_is_json():
    demos = toy_demos("vector", "hybrid", 3, 9, np.random.default_rng(0))
    model = make_model(
        demos.spec, Product(demos.spec.action), NetConfig(hidden=()), np.random.default_rng(0)
    )
    data = json.loads(json.dumps(report(model, demos.rows(), demos.rows()).to_json()))
    assert set(data) == {
        "steps",
        "episodes",
        "policy",
        "commonest",
        "previous",
        "training",
        "confusion",
    }
    assert data["policy"]["accuracy"] == [data["policy"]["all_right"]]
    only_numbers = compared(ActionSpec(continuous=1), [[0, 2]], [[1, 2]]).to_json()
    assert only_numbers["policy"]["all_right"] is None
