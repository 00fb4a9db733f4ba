"""The pipeline at the command line: an expert, its demonstrations, a clone; stopped and resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys

import pytest

from outside import answer, begin, contents, policies, refusal, understudy, wait_until
from understudy.data.formats.door import load_demos
from understudy.run.policy import Policy
from understudy.run.stopwatch import cpu_seconds

SMALL = ("--demos", 3, "--steps", 50, "--episodes", 3)
POOR = ("--expert-steps", 1500)
LONGER = ("--expert-steps", 8000)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the pipeline `whole`, and what it said."""
    place = tmp_path_factory.mktemp("pipelines")
    words = ("pipeline", "CartPole-v1", *LONGER, *SMALL, "--seed", 2, "--run-id", "whole")
    (place / "told").write_text(understudy(*words, cwd=place).stdout)
    return place


def test_an_expert_learns_demonstrates_and_is_cloned(place):
    told = (place / "told").read_text()
    for stage in ("1/4 the expert", "2/4 its demonstrations", "3/4 the clone", "4/4 all of them"):
        assert stage in told
    assert "The expert brings" in told
    assert told.endswith("report: results/whole/report/index.html\n")
    run = place / "results" / "whole"
    demos = load_demos(run / "demonstrations.demos")
    assert len(demos) == 3
    assert demos.provenance.actor == "ppo, likeliest actions"
    assert Policy.load(run / "expert" / "policy").facts["method"] == "ppo"
    assert Policy.load(run / "policy").facts["method"] == "bc"
    report = json.loads((run / "report" / "report.json").read_text())
    assert [*report["evaluations"]] == [
        "learned (deterministic)",
        "learned (sampled)",
        "expert",
        "random",
    ]
    assert "PPO, 8," in report["facts"]["expert"]
    expert = json.loads((run / "expert" / "report" / "report.json").read_text())
    assert expert["evaluations"]["learned (deterministic)"] == report["evaluations"]["expert"]


def test_its_runs_are_runs_like_others(place):
    found = answer("compare", "whole", "whole/expert", cwd=place)
    assert [group["label"] for group in found["groups"]] == ["BC", "PPO"]
    assert answer("play", "whole/expert", "--episodes", 1, cwd=place)["env"] == "CartPole-v1"


def test_a_finished_pipeline_that_is_resumed_only_reports_again(place):
    before = policies(place / "results" / "whole")
    told = understudy(
        "pipeline", "--resume", "--run-id", "whole", "--episodes", 3, cwd=place
    ).stdout
    assert "results/whole/expert has learned already" in told
    assert "results/whole/demonstrations.demos is there already" in told
    assert policies(place / "results" / "whole") == before


def test_without_what_later_stages_made_it_makes_the_same_again(place, tmp_path):
    shutil.copytree(place / "results" / "whole", tmp_path / "results" / "whole")
    run = tmp_path / "results" / "whole"
    before, shown = policies(run), [e.return_ for e in load_demos(run / "demonstrations.demos")]
    for name in ("checkpoints", "policy", "policy-best", "policy-last", "report"):
        shutil.rmtree(run / name)
    (run / "demonstrations.demos").unlink()
    understudy("pipeline", "--resume", "--run-id", "whole", "--episodes", 3, cwd=tmp_path)
    assert policies(run) == before
    assert [e.return_ for e in load_demos(run / "demonstrations.demos")] == shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
def test_stopped_while_the_expert_learns_it_goes_on_to_the_same_end(place, tmp_path):
    words = ("pipeline", "CartPole-v1", *LONGER, *SMALL, "--seed", 2, "--run-id", "whole")
    process = begin(*words, cwd=tmp_path)
    expert = tmp_path / "results" / "whole" / "expert"
    wait_until(lambda: cpu_seconds(expert), process)
    os.kill(process.pid, signal.SIGINT)
    told, errors = process.communicate(timeout=100)
    assert process.returncode == 130, errors
    assert "go on: understudy pipeline --resume --run-id whole" in told
    assert not (expert / "policy").exists()
    resume = ("pipeline", "--resume", "--run-id", "latest", "--episodes", 3, "--quiet")
    understudy(*resume, cwd=tmp_path)
    straight = place / "results" / "whole"
    assert contents(expert / "policy") == contents(straight / "expert" / "policy")
    assert policies(tmp_path / "results" / "whole") == policies(straight)


def test_a_run_can_be_the_expert_and_only_good_episodes_are_shown(place):
    words = ("--expert", "whole/expert", "--sampled", "--min-return", 60, "--run-id", "taken")
    found = answer("pipeline", "CartPole-v1", *words, *SMALL, cwd=place)
    run = place / "results" / "taken"
    assert found["expert"] == "whole/expert"
    demos = load_demos(run / "demonstrations.demos")
    assert len(demos) == found["demonstrations"]["episodes"] == 3
    assert demos.returns.min() >= 60
    assert demos.returns.mean() == pytest.approx(found["demonstrations"]["mean_return"])
    assert (
        contents(run / "expert" / "policy")["state.safetensors"]
        == (contents(place / "results/whole/expert/policy")["state.safetensors"])
    )


def test_a_script_can_be_the_expert(place):
    words = ("pipeline", "CartPole-v1", "--expert", "scripted", "--run-id", "scripted")
    found = answer(*words, *SMALL, cwd=place)
    assert found["demonstrations"] == {"episodes": 3, "steps": 1500, "mean_return": 500}
    assert found["evaluations"]["expert"]["return"]["mean"] == 500
    assert not (place / "results" / "scripted" / "expert").exists()


def test_an_expert_that_never_brings_enough_is_an_error_that_says_what_it_brought(place):
    words = ("pipeline", "CartPole-v1", *POOR, *SMALL, "--min-return", 501, "--run-id", "poor")
    said = understudy(*words, "--quiet", cwd=place, code=2).stderr
    assert "the expert brought 501 in 0 of 30 episodes" in said
    assert "--expert results/poor/expert takes this one" in said
    assert not (place / "results/poor/demonstrations.demos").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pipeline", "pipeline: where? Name an environment"),
        ("pipeline Nowhere-v0", "Nowhere"),
        ("pipeline CartPole-v1 --expert nobody", "no run 'nobody'"),
        ("pipeline Pendulum-v1 --expert whole/expert", "the policy does not fit Pendulum-v1"),
        ("pipeline Blackjack-v1 --expert scripted", "no scripted expert for Blackjack-v1"),
        ("pipeline CartPole-v1 --expert scripted --expert-steps 9", "has learned already"),
        ("pipeline CartPole-v1 --run-id whole", "there is a run 'whole' already"),
        ("pipeline --resume", "which pipeline?"),
        ("pipeline --resume --run-id whole --force", "give one of them"),
        ("pipeline --resume --run-id whole --demos 4", "demos is 3, not 4"),
        ("pipeline --resume --run-id whole --sampled", "sampled is False, not True"),
        ("pipeline --resume --run-id whole/expert", "is no pipeline"),
        ("pipeline CartPole-v1 --demos 0", "expected 1 or more"),
    ],
)
def test_what_cannot_be_begun_is_refused_before_anything_is_written(place, words, said):
    assert said in refusal(*words.split(), cwd=place)
