"""The whole road, from a demonstrator to an evaluated policy, as people and programs walk it."""

from __future__ import annotations

import json
import re
import shutil
import sys

import pytest

from demo_files import real
from outside import SMALL, answer, contents, understudy
from understudy.run.metrics import read_metrics

SHORT = ("--steps", 200, *SMALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a recording `cart` and the run `first` that learned from it."""
    place = tmp_path_factory.mktemp("road")
    understudy("record", "CartPole-v1", "--episodes", 3, "-o", "cart", "--quiet", cwd=place)
    words = ("learn", "CartPole-v1", "--with", "bc", "--demos", "cart", "--run-id", "first", *SHORT)
    (place / "told").write_text(understudy(*words, "--episodes", 3, cwd=place).stdout)
    return place


def test_recording_says_what_came_of_it_and_what_to_do_next(tmp_path):
    told = understudy("record", "CartPole-v1", "--episodes", 2, "-o", "a/b/cart", cwd=tmp_path)
    assert "a/b/cart: 2 episodes, 1,000 steps, return 500.0 on average" in told.stdout
    assert "understudy demos show a/b/cart" in told.stdout
    assert "2/2 episodes" in told.stderr
    more = ("record", "CartPole-v1", "--with", "random", "--episodes", 1, "-o", "a/b/cart")
    found = answer(*more, "--append", cwd=tmp_path)
    assert (found["file"], found["episodes"]) == ("a/b/cart", 3)
    assert found["acted_by"]["script"] == 1000
    assert found["acted_by"]["random"] > 5


def test_demos_show_says_what_is_in_files(place):
    told = understudy("demos", "show", "cart", "--picture", "cart.png", cwd=place).stdout
    assert told.startswith("3 episodes, 1,500 steps of CartPole-v1\n")
    assert "one of 2 choices" in told
    assert "picture: cart.png" in told
    assert (place / "cart.png").read_bytes().startswith(b"\x89PNG")
    assert max(map(len, told.splitlines())) <= 100


def test_demos_show_tells_programs_the_same(place):
    found = answer("demos", "show", "cart", cwd=place)
    assert (found["format"], found["episodes"], found["steps"]) == ("understudy", 3, 1500)
    assert found["spec"]["action"]["branches"] == [2]
    assert found["returns"]["mean"] == 500
    assert (found["alignment"], found["reason"], found["check"]) == (None, None, None)


def test_demos_show_says_how_ml_agents_files_were_paired_and_why(tmp_path):
    file = real("test_3DBall.demo")
    told = understudy("demos", "show", file, "--check", cwd=tmp_path).stdout
    assert "next record: the file ends with a copy of its metadata" in told
    assert "the pairing in use explains what happened" in re.sub(r"\s+", " ", told)
    found = answer("demos", "show", file, "--check", cwd=tmp_path)
    assert found["alignment"] == "next_record"
    assert "metadata" in found["reason"]
    assert found["check"]["agrees"] is True
    assert found["check"]["scores"]["+0"] >= 0.99
    other = ("demos", "show", file, "--check", "--alignment", "same_record")
    found = answer(*other, cwd=tmp_path)
    assert found["alignment"] == "same_record"
    assert found["check"]["agrees"] is False
    assert found["check"]["scores"]["+0"] <= 0.4


def test_learning_says_where_the_policy_stands_and_where_the_report_is(place):
    told = (place / "told").read_text()
    assert "learning from 3 episodes (1,500 steps) in results/first" in told
    assert "In the environment: " in told
    assert "The demonstrations brought 500.0." in told
    assert "On held-out demonstrations: " in told
    assert told.endswith("report: results/first/report/index.html\n")
    assert max(map(len, told.splitlines())) <= 100
    run = place / "results" / "first"
    assert {"config.yaml", "metrics.jsonl", "env.json", "checkpoints", "policy", "report"} <= {
        path.name for path in run.iterdir()
    }
    assert (run / "report" / "film.webp").read_bytes()[8:12] == b"WEBP"
    assert not (run / "film.webp").exists()


def test_learning_tells_programs_the_same(place):
    words = (
        "learn",
        "CartPole-v1",
        "--with",
        "bc",
        "--demos",
        "cart",
        "--results",
        "others",
        "--run-id",
        "j",
    )
    found = answer(*words, "--seed", 7, "--episodes", 2, *SHORT, cwd=place)
    assert found["run"] == "others/j"
    assert found["steps"] == 200
    assert found["seconds"] > 0
    for which in ("held_out", "last", "best"):
        assert 0 <= found[which]["policy"]["accuracy"][0] <= 1
    assert found["evaluations"]["learned (sampled)"]["episodes"] == 2
    assert found["evaluations"]["random"]["episodes"] == 2
    assert found["evaluations"]["demonstrations"]["return"]["mean"] == 500
    told = json.loads((place / "others/j/env.json").read_text())["sessions"][0]
    assert told["seed"] == 7
    assert "seed: 7\nsteps: 200\n" in (place / "others/j/config.yaml").read_text()


def test_learning_needs_no_environment_and_judges_every_episode_once(place):
    words = ("learn", "cart", "--steps", 100, "net.hidden=[16]", "held_out.folds=2")
    found = answer(*words, cwd=place)
    assert found["run"] == "results/cart-bc-1"
    assert found["folds"] is True
    assert found["held_out"]["episodes"] == 3
    assert found["evaluations"] == {}


def test_settings_may_stand_anywhere_among_the_options(place):
    words = ("learn", "--steps", 50, "cart", "net.hidden=[8]", "--seed", 3, "source.batch_size=16")
    understudy(*words, "--run-id", "mixed", "--quiet", "held_out.folds=0", cwd=place)
    config = (place / "results/mixed/config.yaml").read_text()
    assert "hidden: [8]" in config
    assert "batch_size: 16" in config
    assert "seed: 3\nsteps: 50\n" in config


def test_evaluating_plays_sampled_and_likeliest_actions_side_by_side(place):
    told = understudy("evaluate", "results/first", "--episodes", 3, cwd=place).stdout
    assert [
        line.split()[0] for line in told.splitlines() if " to " in line and "  3  " in line
    ] == [
        "deterministic",
        "sampled",
    ]
    found = answer("evaluate", "first", "--episodes", 3, "--seed", 5, cwd=place)
    assert (found["env"], found["episodes"], found["seed"]) == ("CartPole-v1", 3, 5)
    for which in ("deterministic", "sampled"):
        assert found[which]["episodes"] == 3
        low, high = found[which]["return"]["ci95"]
        assert low <= found[which]["return"]["iqm"] <= high
        assert found[which]["return"]["mean"] == found[which]["length"]["mean"]
    again = answer("evaluate", "results/first/policy", "--episodes", 3, "--seed", 5, cwd=place)
    assert again["sampled"] == found["sampled"]


def test_evaluating_against_others_says_where_the_policy_stands(place):
    words = ("evaluate", "first", "--episodes", 10, "--against", "scripted", "random")
    told = understudy(*words, "--weights", "best", cwd=place).stdout
    assert "In the environment: " in told
    assert "The expert brings 500.0." in told
    assert "Acting at random brings" in told


def test_config_prints_what_learn_would_use_with_the_same_words(place):
    words = ("CartPole-v1", "--demos", "cart", "--steps", 9, "net.hidden=[3]", "--seed", 2)
    told = understudy("config", *words, "--best", "50%", cwd=place).stdout
    for line in ("env: CartPole-v1", "demos: [cart]", "seed: 2", "steps: 9", "best: 0.5"):
        assert f"{line}\n" in told
    (place / "mine.yaml").write_text(told)
    assert understudy("config", "-c", "mine.yaml", cwd=place).stdout == told
    found = answer("config", *words, cwd=place)
    assert found["net"]["hidden"] == [3]
    listed = understudy("config", "--list", cwd=place).stdout
    assert "learner.learning_rate: 0.001  (a number > 0" in listed


def test_the_tour_goes_the_whole_road(tmp_path):
    words = ("tour", "CartPole-v1", "--demos", 1, "--episodes", 10, "--steps", 100)
    told = understudy(*words, cwd=tmp_path).stdout
    for line in ("recording 1 demonstration", "In the environment: ", "Acting at random brings"):
        assert line in told
    for name in ("learned (deterministic)", "learned (sampled)", "expert ", "random "):
        assert re.search(rf"^{re.escape(name)} +10 ", told, re.MULTILINE)
    assert max(map(len, told.splitlines())) <= 100
    run = tmp_path / "results" / "CartPole-v1-tour-1"
    names = {path.name for path in (run / "report").iterdir()}
    assert names >= {"index.html", "report.md", "report.json", "film.webp"}
    assert names >= {"curves.png", "returns.png", "confusion.png"}


@pytest.mark.slow
def test_the_tour_tells_programs_the_same(tmp_path):
    words = ("tour", "CartPole-v1", "--demos", 2, "--episodes", 10, "--steps", 300)
    found = answer(*words, "--run-id", "again", "--seed", 1, "--results", "there", cwd=tmp_path)
    assert found["run"] == "there/again"
    assert set(found["evaluations"]) == {
        "learned (deterministic)",
        "learned (sampled)",
        "expert",
        "random",
    }


def test_quiet_says_nothing_but_what_was_asked_for(place):
    silent = (
        ("record", "CartPole-v1", "--episodes", 1, "-o", "quiet"),
        ("learn", "cart", "--run-id", "quiet", *SHORT),
    )
    for words in silent:
        done = understudy(*words, "--quiet", cwd=place)
        assert (done.stdout, done.stderr) == ("", "")
    for words in (("demos", "show", "cart"), ("config",), ("evaluate", "first", "--episodes", 2)):
        done = understudy(*words, "--quiet", cwd=place)
        assert done.stdout
        assert done.stderr == ""


def test_a_run_goes_on_with_the_same_words_to_another_number_of_steps(place):
    run = place / "results" / "onward"
    shutil.copytree(place / "results" / "first", run)
    words = ("CartPole-v1", "--demos", "cart", "--run-id", "onward", "--episodes", 1, *SMALL)
    found = answer("learn", "--resume", *words, "--steps", 300, cwd=place)
    assert found["steps"] == 300
    assert "steps: 300\n" in (run / "config.yaml").read_text()
    steps = [line["step"] for line in read_metrics(run / "metrics.jsonl") if "loss" in line]
    assert steps == [100, 200, 300]


def test_starting_over_keeps_the_old_run_aside(place):
    run = place / "results" / "over"
    shutil.copytree(place / "results" / "first", run)
    before = contents(run)
    words = ("learn", "cart", "--run-id", "over", "--quiet", *SMALL)
    understudy(*words, "--steps", 60, "--force", cwd=place)
    assert contents(place / "results" / "over.old-1") == before
    assert "steps: 60\n" in (run / "config.yaml").read_text()


def test_help_and_version_are_there(tmp_path):
    told = understudy("--help", cwd=tmp_path).stdout
    for verb in ("learn", "record", "demos", "evaluate", "config", "tour"):
        assert verb in told
        assert (
            "--json" in understudy(verb, *["show"] * (verb == "demos"), "-h", cwd=tmp_path).stdout
        )
    assert understudy(cwd=tmp_path).stdout == told
    assert re.match(r"\d+\.\d+", understudy("--version", cwd=tmp_path).stdout)


def test_a_module_in_the_present_folder_is_found(tmp_path):
    (tmp_path / "reach.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('Reach-v0', 'gymnasium.envs.classic_control:PendulumEnv', "
        "max_episode_steps=5)\n"
    )
    words = ("reach:Reach-v0", "--with", "random", "--episodes", 1, "-o", "reached")
    # Installed, the command does not begin with the present folder on its path, as -m would.
    installed = [sys.executable, "-P", "-m", "understudy"]
    told = understudy("record", *words, cwd=tmp_path, command=installed).stdout
    assert "reached: 1 episode, 5 steps" in told
