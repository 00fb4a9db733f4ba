"""What was sought while a policy learned, drawn and said."""

from __future__ import annotations

import pytest
from PIL import Image

from understudy.report.page import write_report
from understudy.report.signal_curves import accuracies_in, alarms_in, draw_signals, rewards_in

LINES = [
    {"step": 100, "gail/reward": -0.5, "gail/accuracy/shown": 0.9, "gail/accuracy/lived": 0.8},
    {"step": 200, "gail/reward": -0.1, "gail/accuracy/shown": 0.7, "gail/accuracy/lived": 0.6},
    {"step": 200, "return": 50.0},
    {"step": 200, "rnd/reward": 2.0, "gail/reward": None},
    {"step": 200, "gail/reward": 0.2, "gail/alarm": 1.0},
    {"step": 300, "gail/alarm": 0.0},
]


def test_rewards_are_read_by_signal_and_what_was_logged_twice_counts_once():
    found = rewards_in(LINES)
    assert set(found) == {"gail", "rnd"}
    assert found["gail"][0].tolist() == [100, 200]
    assert found["gail"][1].tolist() == [-0.5, 0.2]


def test_a_discriminators_accuracy_is_read_by_kind_of_row():
    assert set(accuracies_in(LINES, "gail")) == {"shown", "lived"}
    assert accuracies_in(LINES, "gail")["lived"][1].tolist() == [0.8, 0.6]
    assert not accuracies_in(LINES, "rnd")


def test_alarms_are_a_share_of_looks():
    assert alarms_in(LINES) == {"gail": 0.5}


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    draw_signals(LINES, tmp_path / "signals.png")
    with Image.open(tmp_path / "signals.png") as picture:
        assert picture.width > 800


def test_the_report_shows_what_was_sought_and_warns_of_what_is_known_by_heart(tmp_path):
    write_report(tmp_path, title="A run", facts={}, curves=LINES)
    told = (tmp_path / "report" / "report.md").read_text()
    assert "## What was sought" in told
    assert "gail knew its demonstrations by heart at 50% of the looks" in told
    assert "higher signals.gail.penalty" in told


def test_where_only_the_environments_reward_was_sought_nothing_is_added(tmp_path):
    lines = [{"step": 100, "extrinsic/reward": 1.0, "return": 5.0}]
    write_report(tmp_path, title="A run", facts={}, curves=lines)
    assert "What was sought" not in (tmp_path / "report" / "report.md").read_text()
