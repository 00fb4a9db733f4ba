"""Learning from reward at the command line: begun, resumed, reported, refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from outside import answer, refusal, understudy
from understudy.run.metrics import read_metrics
from understudy.run.policy import Policy

QUICK = {
    "ppo": ("--steps", 600, "slots=2", "rows=64", "net.hidden=[8]"),
    "sac": (
        *("--steps", 150, "net.hidden=[8]", "critic.hidden=[8]"),
        *("practice.warmup_steps=50", "practice.batch_size=16"),
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the recording `cart`, and the runs `ppo` and `sac`."""
    place = tmp_path_factory.mktemp("acting")
    understudy("record", "CartPole-v1", "--episodes", 2, "-o", "cart", "--quiet", cwd=place)
    for method, words in QUICK.items():
        learn = ("learn", "CartPole-v1", "--with", method, "--run-id", method, *words)
        told = understudy(*learn, "--episodes", 10, cwd=place).stdout
        (place / f"{method}.txt").write_text(told)
    return place


@pytest.mark.parametrize("method", ["ppo", "sac"])
def test_learning_from_reward_says_where_the_policy_stands(place, method):
    told = (place / f"{method}.txt").read_text()
    assert f"learning CartPole-v1 with {method} in results/{method}" in told
    assert "In the environment: " in told
    assert "The environment calls a mean of 475.0 solved" in told
    report = place / "results" / method / "report"
    assert {"index.html", "progress.png", "returns.png", "film.webp"} <= {
        file.name for file in report.iterdir()
    }
    lines = read_metrics(place / "results" / method / "metrics.jsonl")
    assert any("return" in line for line in lines)


@pytest.mark.parametrize("method", ["ppo", "sac"])
def test_a_longer_resumed_run_ends_where_a_straight_one_does(place, method):
    more = 1200 if method == "ppo" else 250
    words = ("learn", "CartPole-v1", "--with", method, *QUICK[method], "learner.schedule=constant")
    quiet = ("--episodes", 0, "--quiet")
    understudy(*words, "--run-id", f"{method}-short", *quiet, cwd=place)
    resume = ("learn", "--resume", "--run-id", f"{method}-short", "--steps", more)
    understudy(*resume, *quiet, cwd=place)
    understudy(*words, "--run-id", f"{method}-long", "--steps", more, *quiet, cwd=place)
    short, long = (
        Policy.load(place / "results" / f"{method}-{kind}" / "policy") for kind in ("short", "long")
    )
    assert np.array_equal(short.model.flat.value, long.model.flat.value)


def test_demonstrations_help_ppo_and_are_named_in_the_report(place):
    words = ("learn", "CartPole-v1", "--with", "ppo", "--demos", "cart", "shown.pretrain=50")
    found = answer(*words, *QUICK["ppo"], "--run-id", "helped", "--episodes", 10, cwd=place)
    assert found["training_episodes"] > 0
    assert found["evaluations"]["demonstrations"]["return"]["mean"] == 500
    report = json.loads((place / "results/helped/report/report.json").read_text())
    assert report["facts"]["demonstrations"] == "cart (2 episodes, 1,000 steps)"


def test_config_prints_the_settings_of_the_method_that_is_asked_for(place):
    told = understudy("config", "CartPole-v1", "--with", "sac", cwd=place).stdout
    assert "method: sac" in told
    (place / "sac.yaml").write_text(told)
    again = understudy("config", "-c", "sac.yaml", cwd=place).stdout
    assert again == told


def test_settings_tuned_for_the_environment_are_begun_with_and_can_be_overruled(place):
    tuned = answer("config", "CartPole-v1", "--with", "ppo", cwd=place)
    plain = answer("config", "Pendulum-v1", "--with", "ppo", cwd=place)
    assert tuned["rows"] != plain["rows"]
    assert answer("config", "CartPole-v1", "--with", "ppo", "rows=7", cwd=place)["rows"] == 7


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("learn --with ppo", "ppo learns by acting: name an environment"),
        ("learn CartPole-v1 --with ddpg", "invalid choice: 'ddpg'"),
        ("learn CartPole-v1", "let it learn from reward: --with ppo"),
        ("learn CartPole-v1 --with ppo learner.epoch=3", "did you mean epochs"),
        (
            "learn CartPole-v1 --with sac learner.pessimism=5",
            "learner.pessimism=5: expected no more than critic.num_critics=2",
        ),
        ("learn CartPole-v1 --with ppo --demos nothing", "nothing"),
        ("learn --resume --run-id ppo --with sac", "begun with ppo, not sac"),
        ("learn --resume --run-id ppo rows=9", "rows is 64, not 9"),
        ("learn Pendulum-v1 --with ppo --demos cart", "does not fit what it is read for"),
    ],
)
def test_what_cannot_be_learned_is_refused_before_anything_is_written(place, words, said):
    assert said in refusal(*words.split(), cwd=place)


def test_where_no_way_to_learn_was_named_one_is_chosen_with_reasons(place):
    short = ("--steps", 600, "slots=2", "rows=64", "--episodes", 0, "--run-id", "chosen")
    told = understudy("learn", "CartPole-v1", "--demos", "cart", *short, cwd=place).stdout
    assert "2 episodes" in told.splitlines()[0], "what was found"
    assert "So it acts, and learns to be taken for who showed." in told.splitlines()[0]
    assert "\nmethod: gail\n" in told, "and all settings that follow"
    assert "with gail and 2 demonstrations" in told


def test_settings_that_only_cloning_has_choose_cloning(place):
    words = ("config", "CartPole-v1", "--demos", "cart", "held_out.folds=2")
    assert answer(*words, cwd=place)["method"] == "bc"
    assert answer("config", "CartPole-v1", "--demos", "cart", cwd=place)["method"] == "gail"


def test_imitation_without_anything_shown_says_how_to_get_it(place):
    assert "understudy record" in refusal("learn", "CartPole-v1", "--with", "gail", cwd=place)
