from __future__ import annotations

import json
import math

import numpy as np
import pytest

from understudy.errors import CheckpointError, ConfigError
from understudy.report.comparison import Ran, grouped, labels_of, notes_of, read_run
from understudy.report.comparison_table import evaluation_table, learning_table
from understudy.report.return_curves import SECONDS, STEPS, Curve

DEFAULT = {"net.hidden": [64, 64], "learner.epochs": 10, "slots": 8}


def curve(*returns, steps=1000, episodes=100.0):
    at = np.linspace(steps / len(returns), steps, len(returns))
    return Curve(at, np.array(returns, np.float64), np.full(len(returns), episodes))


def ran(name, seed=0, *, method="ppo", env="CartPole-v1", settings=None, **rest):
    given = {"curve": curve(10.0, 20.0), "evaluated": None, "cost": None, "steps": 1000, **rest}
    return Ran(name, method, env, seed, {**DEFAULT, **(settings or {})}, **given)


def told(table):
    assert table is not None
    return table


def test_runs_that_differ_only_in_their_seeds_are_one_group():
    other = {"learner.epochs": 3}
    runs = [ran("a", 0), ran("b", 0, settings=other), ran("c", 1), ran("d", 1, settings=other)]
    groups = grouped(runs)
    assert [[run.name for run in group.runs] for group in groups] == [["a", "c"], ["b", "d"]]
    assert [group.label for group in groups] == ["learner.epochs=10", "learner.epochs=3"]


def test_methods_are_told_apart_by_name_and_settings_within_a_method():
    runs = [
        ran("a"),
        ran("b", settings={"net.hidden": [8]}),
        ran("c", method="sac", settings={"critics": 2}),
    ]
    assert labels_of(runs) == ["PPO net.hidden=[64,64]", "PPO net.hidden=[8]", "SAC"]


def test_a_single_group_is_called_by_its_method():
    assert labels_of([ran("a")]) == ["PPO"]


def test_where_a_label_would_leave_out_what_differs_the_runs_tell_their_names():
    changed = [{f"x{n}": 1 for n in range(5)} for _ in range(3)]
    changed[1]["x4"] = 2
    changed[2] = {f"x{n}": 3 for n in range(5)}
    labels = labels_of([ran(f"r{n}", settings=x) for n, x in enumerate(changed)])
    assert labels[0] == "x0=1 x1=1 x2=1 and 2 more [r0]"
    assert labels[1].endswith("[r1]")
    assert labels[2] == "x0=3 x1=3 x2=3 and 2 more"


def test_different_environments_are_refused_by_their_names():
    with pytest.raises(ConfigError, match=r"CartPole-v1: a, c; Pendulum-v1: b"):
        grouped([ran("a"), ran("b", env="Pendulum-v1"), ran("c")])


def test_a_run_that_says_nothing_of_returns_is_named():
    with pytest.raises(ConfigError, match="b: nothing to compare"):
        grouped([ran("a"), ran("b", curve=None)])


def test_runs_of_one_seed_and_the_same_settings_are_noticed():
    (note,) = notes_of(grouped([ran("a", 3), ran("b", 3), ran("c", 4)]))
    assert note.startswith("a, b have the same settings and the same seed")


def test_a_run_that_cuts_its_group_short_is_noticed():
    groups = grouped([ran("a", 0), ran("b", 1, curve=curve(1.0, steps=200))])
    (note,) = notes_of(groups)
    assert "goes as far as its shortest run, b (200; the others to 1,000)" in note


def test_a_goal_that_few_reach_is_told_with_how_many():
    high, low = curve(10.0, 90.0), curve(10.0, 20.0)
    (most,) = grouped([ran("a", 0, curve=high), ran("b", 1, curve=high), ran("c", 2, curve=low)])
    (few,) = grouped([ran("a", 0, curve=high), ran("b", 1, curve=low), ran("c", 2, curve=low)])
    assert most.reaching(50) == 1000
    assert math.isinf(few.reaching(50))
    cells = [told(learning_table([group], 50, STEPS)).rows[0][-1] for group in (most, few)]
    assert cells == ["1,000 (2 of 3)", "never (1 of 3)"]


def test_a_table_tells_where_groups_end_and_what_was_best():
    groups = grouped([ran(str(n), n, curve=curve(*x)) for n, x in enumerate([(9, 4), (7, 8)])])
    table = told(learning_table(groups, None, STEPS))
    assert table.columns == ("while learning", "runs", "steps", "at the end", "best")
    # The mean of the two runs: first 8, at the end 6.
    assert table.rows == (("PPO", "2", "1,000", "6.00", "8.00"),)


def test_evaluations_count_only_where_every_run_of_the_group_has_one():
    known = [ran(str(n), n, evaluated=float(n), cost=None) for n in range(3)]
    (all_known,) = grouped(known)
    (one_unknown,) = grouped([*known, ran("x", 9)])
    assert all_known.evaluated is not None
    assert all_known.evaluated.iqm == 1.0
    assert one_unknown.evaluated is None
    assert evaluation_table([one_unknown]) is None
    assert told(evaluation_table([all_known])).rows[0][:3] == ("PPO", "3", "1.00")


def test_over_seconds_a_curve_stands_where_its_steps_were_done():
    cost = np.array([0.0, 500, 1000]), np.array([0.0, 10, 12])
    run = ran("a", cost=cost).over_seconds()
    assert run.curve is not None
    assert run.curve.at.tolist() == [10, 12]
    assert run.cpu_seconds == 12
    assert SECONDS in told(learning_table(grouped([run]), None, SECONDS)).columns
    with pytest.raises(ConfigError, match="b: noted no time"):
        ran("b").over_seconds()


@pytest.mark.parametrize("damage", ["no", "[]", '{"evaluations": 3}', "{}"])
def test_a_damaged_report_is_named(tmp_path, damage):
    (tmp_path / "config.yaml").write_text("method: ppo\nenv: CartPole-v1\n")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(damage)
    with pytest.raises(CheckpointError, match=r"report\.json: damaged"):
        read_run("x", tmp_path)


def test_a_run_is_read_from_its_folder(tmp_path):
    (tmp_path / "config.yaml").write_text("method: ppo\nenv: CartPole-v1\nseed: 3\nrows: 9\n")
    lines = [{"step": 5, "return": 1.5, "episodes": 1}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    run = read_run("x", tmp_path)
    assert (run.method, run.env, run.seed, run.settings["rows"]) == ("ppo", "CartPole-v1", 3, 9)
    assert not {"seed", "keep.log_every"} & set(run.settings)
    assert run.settings["learner.epochs"] > 0
    assert run.curve is not None
    assert (run.evaluated, run.cpu_seconds) == (None, None)
