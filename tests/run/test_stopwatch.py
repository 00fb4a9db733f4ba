from __future__ import annotations

import json

import numpy as np
import pytest

from understudy.errors import CheckpointError
from understudy.run.loop import Progress
from understudy.run.metrics import read_metrics
from understudy.run.stopwatch import TIMES, Stopwatch, cpu_seconds


def spend(amount=20_000):
    return sum(range(amount))


def run_to(folder, stop, resumed_step=0, total=None):
    watch = Stopwatch(folder, resumed_step)
    progress = Progress(total or stop, resumed_step)
    while progress.steps < stop:
        spend()
        progress.steps += 1
        watch.see(progress, {})
    watch.close()


def times(folder):
    found = cpu_seconds(folder)
    assert found is not None
    return found


def test_the_last_step_is_always_noted_and_time_only_grows(tmp_path):
    run_to(tmp_path, 30)
    steps, seconds = times(tmp_path)
    assert (steps[0], seconds[0]) == (0, 0)
    assert steps[-1] == 30
    assert seconds[-1] > 0
    assert (np.diff(seconds) >= 0).all()


def test_a_resumed_run_goes_on_from_the_time_at_its_checkpoint(tmp_path):
    before = {"step": 10, "seconds": 100.0, "cpu_seconds": 50.0}
    lost = {"step": 20, "seconds": 900.0, "cpu_seconds": 800.0}
    (tmp_path / TIMES).write_text("".join(json.dumps(line) + "\n" for line in (before, lost)))
    run_to(tmp_path, 12, resumed_step=10)
    steps, seconds = times(tmp_path)
    assert steps.tolist()[:2] == [0, 10]
    assert 20 not in steps
    assert 50 < seconds[-1] < 100
    assert 100 < read_metrics(tmp_path / TIMES)[-1]["seconds"] < 150


def test_a_long_run_notes_no_more_than_a_share_of_its_time(tmp_path):
    before = {"step": 10, "seconds": 1e6, "cpu_seconds": 1e6}
    (tmp_path / TIMES).write_text(json.dumps(before) + "\n")
    run_to(tmp_path, 30, resumed_step=10, total=40)
    assert len(read_metrics(tmp_path / TIMES)) == 1


def test_a_run_that_noted_no_time_has_none(tmp_path):
    assert cpu_seconds(tmp_path) is None


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / TIMES).write_text("no\n")
    with pytest.raises(CheckpointError, match=TIMES):
        cpu_seconds(tmp_path)
