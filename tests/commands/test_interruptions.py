"""Stopped by a signal or killed at any moment, nothing is lost and a run ends as if it were not."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from outside import (
    SMALL,
    answer,
    begin,
    contents,
    kill_at,
    policies,
    understudy,
    wait_until,
)
from understudy.data.formats.door import load_demos
from understudy.run import checkpoint
from understudy.run.cloning import BCConfig
from understudy.run.folder import find_run
from understudy.run.metrics import read_metrics
from understudy.run.policy import Policy
from understudy.settings import read

STEPS = 6000
WORDS = ("cart", *SMALL, "keep.checkpoint_seconds=0.05")
ACKNOWLEDGING = (sys.executable, str(Path(__file__).parents[1] / "acknowledging.py"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a recording, a run that nobody stopped, and how long that took."""
    place = tmp_path_factory.mktemp("stopped")
    understudy("record", "CartPole-v1", "--episodes", 2, "-o", "cart", "--quiet", cwd=place)
    began = time.monotonic()
    understudy("learn", *WORDS, "--steps", STEPS, "--run-id", "whole", cwd=place)
    (place / "seconds").write_text(str(time.monotonic() - began))
    return place


def same_as_whole(place, run_id):
    """Whether a run came to the same weights and figures as the one that nobody stopped."""
    whole, run = place / "results/whole", place / "results" / run_id
    same = policies(run) == policies(whole)
    return same and read_metrics(run / "metrics.jsonl") == read_metrics(whole / "metrics.jsonl")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_told_to_stop_goes_on_to_the_same_end(place, number):
    run_id = f"goes-on-{number.name}"
    run = place / "results" / run_id
    words = ("learn", *WORDS, "--steps", STEPS, "--run-id", run_id)
    process = begin(*words, cwd=place)
    wait_until(lambda: any((run / "checkpoints").glob("step-*")), process)
    process.send_signal(number)
    told, errors = process.communicate(timeout=10)
    assert process.returncode == 130, errors
    assert f"go on: understudy learn --resume --run-id {run_id}\n" in told
    assert 0 < checkpoint.load(run / "checkpoints").step < STEPS
    assert not (run / "policy").exists()
    understudy("learn", "--resume", "--run-id", run_id, "--quiet", cwd=place)
    assert same_as_whole(place, run_id)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_recording_leaves_a_whole_file(tmp_path, number):
    words = ("record", "CartPole-v1", "--episodes", 100_000, "-o", "cart")
    process = begin(*words, cwd=tmp_path, command=ACKNOWLEDGING)
    assert process.stdout is not None
    acknowledged = len(os.read(process.stdout.fileno(), 1))
    process.send_signal(number)
    told, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert load_demos(tmp_path / "cart").num_steps - (acknowledged + len(told)) in (0, 1)
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == (
        "understudy: interrupted; cart keeps what was recorded; go on with --append"
    )
    assert set(contents(tmp_path)) == {"cart"}
    before = len(load_demos(tmp_path / "cart"))
    more = ("record", "CartPole-v1", "--episodes", 1, "-o", "cart", "--append")
    assert answer(*more, cwd=tmp_path)["episodes"] == before + 1


def readable(run: Path) -> bool:
    """Whether a run was begun here; if so, everything in its folder can be read."""
    if not (run / "config.yaml").exists():
        return False
    assert find_run(run.parent, run.name) == run
    assert read(BCConfig, files=[run / "config.yaml"]).steps == STEPS
    read_metrics(run / "metrics.jsonl")
    if checkpoint.steps(run / "checkpoints"):
        assert checkpoint.load(run / "checkpoints").step <= STEPS
    if (run / "policy").exists():
        Policy.load(run / "policy")
    return True


def learn_killed(place: Path, kills: int, moments: random.Random) -> None:
    """Kill a run, and those that go on with it, until so many died; a run that ends is compared."""
    span, runs = float((place / "seconds").read_text()), 0
    while kills:
        run_id = f"killed-{kills}-{runs}"
        runs += 1
        ended = False
        while not ended and kills:
            begun = readable(place / "results" / run_id)
            resume = ["--resume"] if begun else []
            words = ("learn", *WORDS, "--steps", STEPS, "--run-id", run_id, *resume)
            killed = kill_at(begin(*words, cwd=place), moments, span)
            kills, ended = kills - killed, not killed
        if not ended:
            resume = ["--resume"] if readable(place / "results" / run_id) else []
            understudy("learn", *WORDS, "--steps", STEPS, "--run-id", run_id, *resume, cwd=place)
        assert same_as_whole(place, run_id)


def record_killed(folder: Path, kills: int, moments: random.Random) -> None:
    """Kill recorders that append to one file; it opens and has every acknowledged step."""
    file, steps = folder / "cart", 0
    while kills:
        words = ["record", "CartPole-v1", "--with", "random", "--episodes", 100_000, "-o", "cart"]
        words += ["--append"] if file.exists() else []
        words += ["--seed", kills, "--quiet"]
        process = begin(*words, cwd=folder, command=ACKNOWLEDGING)
        if process.stdout is not None and moments.random() < 0.75:
            # Most of them while steps are written.
            steps += len(os.read(process.stdout.fileno(), 1))
        deadline = time.monotonic() + moments.uniform(0, 0.3)
        while time.monotonic() < deadline:
            time.sleep(0.001)
        process.kill()
        told, _ = process.communicate()
        steps += len(told)
        kills -= 1
        if not file.exists():
            assert not steps
            continue
        demos = load_demos(file)
        assert demos.num_steps >= steps
        assert demos.num_steps - steps <= 1, "a step that was being written may be there"
        steps = demos.num_steps
    more = ("record", "CartPole-v1", "--episodes", 1, "-o", "cart", "--append")
    assert answer(*more, cwd=folder)["steps"] == steps + 500


def test_a_run_killed_again_and_again_ends_as_if_it_had_not_been(place):
    learn_killed(place, 6, random.Random(0))


def test_a_recording_killed_again_and_again_has_every_step(tmp_path):
    record_killed(tmp_path, 6, random.Random(0))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_at_forty_moments_ends_as_if_it_had_not_been(place, seed):
    learn_killed(place, 10, random.Random(1 + seed))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_recording_killed_at_forty_moments_has_every_step(tmp_path):
    record_killed(tmp_path, 40, random.Random(1))
