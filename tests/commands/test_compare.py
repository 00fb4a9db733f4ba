"""Comparing runs at the command line: grouped, drawn, told, refused."""

from __future__ import annotations

import pytest

from outside import SMALL, answer, refusal, understudy

PPO = (
    "--with",
    "ppo",
    "learner.epochs=20",
    "--steps",
    1500,
    "slots=4",
    "rows=32",
    "net.hidden=[8]",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with three seeds of PPO, one of them again with fewer epochs, and a clone."""
    place = tmp_path_factory.mktemp("comparing")
    for seed in range(3):
        words = ("learn", "CartPole-v1", *PPO, "--seed", seed, "--run-id", f"s{seed}")
        understudy(*words, "--episodes", 2, "--quiet", cwd=place)
    fewer = ("learn", "CartPole-v1", *PPO, "learner.epochs=2", "--run-id", "fewer")
    understudy(*fewer, "--episodes", 0, "--quiet", cwd=place)
    understudy("record", "CartPole-v1", "-o", "cart", "--episodes", 2, "--quiet", cwd=place)
    clone = (
        "learn",
        "CartPole-v1",
        "--with",
        "bc",
        "--demos",
        "cart",
        "--steps",
        50,
        *SMALL,
        "--run-id",
        "clone",
    )
    understudy(*clone, "--episodes", 3, "--quiet", cwd=place)
    understudy(*clone[:-1], "unseen", "--episodes", 0, "--quiet", cwd=place)
    pend = ("learn", "Pendulum-v1", *PPO, "--run-id", "pendulum")
    understudy(*pend, "--episodes", 0, "--quiet", cwd=place)
    return place


def test_seeds_are_one_group_beside_what_differs(place):
    told = understudy("compare", "s0", "s1", "s2", "fewer", cwd=place).stdout
    assert "learner.epochs=20     3" in told
    assert "learner.epochs=2 " in told
    assert " to " in told
    assert "steps to 475.0" in told
    assert "picture: results/comparison.png" in told
    assert (place / "results/comparison.png").read_bytes().startswith(b"\x89PNG")
    assert max(map(len, told.splitlines())) <= 100


def test_programs_are_told_the_same(place):
    words = ("compare", "results/s0", "s1", "s2", "--reach", 15, "-o", "a/b.png")
    found = answer(*words, cwd=place)
    assert (found["env"], found["goal"], found["picture"]) == ("CartPole-v1", 15, "a/b.png")
    (group,) = found["groups"]
    assert group["label"] == "PPO"
    assert [(run["run"], run["seed"]) for run in group["runs"]] == [("s0", 0), ("s1", 1), ("s2", 2)]
    low, high = group["end"]["ci95"]
    assert low <= group["end"]["iqm"] <= high
    assert 0 < group["reached_at"] < 1500
    assert group["cpu_seconds"] > 0
    assert (place / "a/b.png").exists()


def test_curves_go_over_cpu_seconds_where_that_is_asked_for(place):
    by = [answer("compare", "s0", "--by", by, cwd=place) for by in ("steps", "seconds")]
    steps, seconds = (found["groups"][0] for found in by)
    assert steps["at"] > 1000
    assert 0 < seconds["at"] <= seconds["cpu_seconds"]
    assert steps["end"] == seconds["end"]


def test_what_was_cloned_is_compared_by_its_evaluation(place):
    found = answer("compare", "s0", "clone", cwd=place)
    ppo, bc = found["groups"]
    assert (ppo["label"], bc["label"]) == ("PPO", "BC")
    assert "end" in ppo
    assert "end" not in bc
    assert bc["evaluated"]["iqm"] > 0
    told = understudy("compare", "clone", "-o", "clone.png", cwd=place).stdout
    assert "while learning" not in told
    assert "BC" in told
    assert (place / "clone.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("compare", "required: RUN"),
        ("compare s0 nobody", "no run 'nobody'"),
        ("compare s0 results/s0", "s0 and results/s0 are the same run"),
        ("compare s0 s1 pendulum", "(CartPole-v1: s0, s1; Pendulum-v1: pendulum)"),
        ("compare s0 unseen", "unseen: nothing to compare"),
        ("compare s0 -o picture.jpg", "name it .png"),
        ("compare s0 --by weeks", "invalid choice: 'weeks'"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(place, words, said):
    assert said in refusal(*words.split(), cwd=place)
