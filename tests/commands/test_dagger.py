"""Asking an expert at the command line: begun, resumed, reported, refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from outside import answer, refusal, understudy
from understudy.data.formats.native import read_demos
from understudy.run.labels import LABELS
from understudy.run.policy import Policy

QUICK = ("labels=60", "updates=300", "trials=2", "slots=2", "net.hidden=[16]")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the run `asked`."""
    place = tmp_path_factory.mktemp("asking")
    learn = ("learn", "CartPole-v1", "--with", "dagger", "--run-id", "asked", "rounds=2", *QUICK)
    (place / "told.txt").write_text(understudy(*learn, "--episodes", 5, cwd=place).stdout)
    return place


def test_it_says_who_is_asked_how_often_and_where_the_policy_stands(place):
    told = (place / "told.txt").read_text()
    assert "learning CartPole-v1 by asking scripted in results/asked" in told
    assert "learned from 120 labels in 2 rounds" in told
    assert "The expert brings 500.0" in told


def test_naming_an_expert_is_enough(place):
    for words in (["CartPole-v1"], ["CartPole-v1", "--demos", "results/asked/labels.demos"]):
        told = understudy("config", *words, "expert=scripted", cwd=place).stdout
        assert "method: dagger" in told
        assert "expert: scripted" in told


def test_the_report_shows_labels_against_return(place):
    report = place / "results/asked/report"
    assert {"labels.png", "returns.png", "index.html"} <= {f.name for f in report.iterdir()}
    page = (report / "report.md").read_text()
    assert "| labels | return after the round |" in page
    assert "| 60 |" in page
    assert "| 120 |" in page
    facts = json.loads((report / "report.json").read_text())["facts"]
    assert facts["labels"] == "120 (60, 60 by round)"
    assert facts["expert"] == "scripted"


def test_more_rounds_when_resumed_end_where_a_straight_run_does(place):
    words = ("learn", "CartPole-v1", "--with", "dagger", *QUICK)
    quiet = ("--episodes", 0, "--quiet")
    understudy(*words, "--run-id", "short", "rounds=1", *quiet, cwd=place)
    understudy("learn", "--resume", "--run-id", "short", "rounds=3", *quiet, cwd=place)
    understudy(*words, "--run-id", "long", "rounds=3", *quiet, cwd=place)
    short, long = (place / "results" / name for name in ("short", "long"))
    one, other = (Policy.load(run / "policy").model.flat.value for run in (short, long))
    assert np.array_equal(one, other)
    assert read_demos(short / LABELS).num_steps == read_demos(long / LABELS).num_steps == 180


def test_a_run_is_an_expert_and_what_it_said_is_data(place):
    words = ("learn", "CartPole-v1", "--with", "dagger", "--run-id", "second", "rounds=1", *QUICK)
    found = answer(*words, "expert=asked", "--episodes", 2, cwd=place)
    assert (found["labels"], found["labels_by_round"]) == (60, [60])
    data = ("--demos", f"results/second/{LABELS}", "--steps", 20)
    clone = ("learn", "CartPole-v1", "--with", "bc", *data)
    assert answer(*clone, "--run-id", "clone", "--episodes", 0, cwd=place)["steps"] == 20


def test_a_function_in_a_file_here_is_an_expert(place):
    (place / "teacher.py").write_text("def left(obs):\n    return 0\n")
    words = ("learn", "CartPole-v1", "--with", "dagger", "--run-id", "left", "rounds=1", *QUICK)
    understudy(*words, "expert=teacher:left", "--episodes", 2, "--quiet", cwd=place)
    shown = read_demos(place / "results/left" / LABELS)
    assert {int(a) for episode in shown for a in episode.meant.discrete[:, 0]} == {0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("learn --with dagger", "dagger learns by acting: name an environment"),
        ("learn CartPole-v1 --with dagger expert=nobody", "no run 'nobody'"),
        ("learn CartPole-v1 --with dagger expert=no_such:thing", "is no_such.py here?"),
        ("learn Blackjack-v1 --with dagger", "no scripted expert for Blackjack-v1"),
        ("learn CartPole-v1 --with dagger round=3", "did you mean rounds"),
        ("learn CartPole-v1 --with dagger gate.kind=doubts", "gate.kind"),
        ("learn CartPole-v1 --with dagger beta=[1.5]", "beta"),
        ("learn CartPole-v1 --with dagger --steps 5", "steps"),
        ("learn --resume --run-id asked labels=70", "only rounds=N may be another"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(place, words, said):
    before = {path.name for path in (place / "results").iterdir()}
    assert said in refusal(*words.split(), cwd=place)
    assert {path.name for path in (place / "results").iterdir()} == before
