from __future__ import annotations

import io

import pytest

from made_up import Ascii, Screen
from understudy.report.progress_line import ProgressLine, duration


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def run(stream, *, total=1000, step=10, seconds=0.5, start=0, **options):
    clock = Clock()
    line = ProgressLine(total, stream=stream, clock=clock, **options)
    for done in range(start, (total or 1000) + 1, step):
        line.see(done, {"loss": 1.0 / (1 + done)})
        clock.now += seconds
    line.close()
    return stream.getvalue()


def test_pipe_gets_a_plain_line_for_every_tenth():
    text = run(io.StringIO())
    assert len(text.splitlines()) == 10
    assert not set(text) & {"\r", "\x1b", "\t"}
    assert text.isascii()


def test_slow_run_speaks_every_ten_seconds():
    lines = run(io.StringIO(), total=100, step=1, seconds=2.0).splitlines()
    # 200 seconds: a line each ten of them, which come sooner than the tenths of the run.
    assert len(lines) == 20


def test_fast_run_does_not_flood():
    # 101 updates in a tenth of a second: only the last word.
    assert len(run(io.StringIO(), seconds=0.001).splitlines()) == 1


def test_line_says_rate_time_left_and_figures():
    line = run(io.StringIO()).splitlines()[4]
    assert "50%" in line
    assert "500/1,000 steps" in line
    assert "20/s" in line
    assert "25 s left" in line
    assert "loss 0.002" in line


def test_last_line_says_how_long_it_took():
    last = run(io.StringIO()).splitlines()[-1]
    assert "100%" in last
    assert "took 50 s" in last
    assert "left" not in last


def test_resumed_run_counts_only_its_own_steps():
    # 500 steps in 25 seconds of its own.
    last = run(io.StringIO(), start=500).splitlines()[-1]
    assert "20/s" in last
    assert "took 25 s" in last


def test_rate_follows_a_machine_that_slows_down():
    clock, stream = Clock(), io.StringIO()
    line = ProgressLine(10_000, stream=stream, clock=clock)
    for done in range(0, 1000, 10):
        line.see(done)
        clock.now += 0.1
    for done in range(1000, 1100, 1):
        line.see(done)
        clock.now += 1.0
    assert line.rate == pytest.approx(1.0, rel=0.1)


def test_terminal_gets_one_line_that_changes():
    text = run(Screen())
    assert text.count("\n") == 1
    assert text.count("\r") > 20
    assert "━" in text
    assert "\x1b" not in text


def test_shorter_line_wipes_the_longer_one():
    clock, stream = Clock(), Screen()
    line = ProgressLine(100, stream=stream, clock=clock)
    line.see(1, {"figure": 1.2345e-300})
    clock.now += 1
    line.see(2, {"figure": 1})
    first, second = stream.getvalue().split("\r")[1:]
    assert len(second) >= len(first)


def test_terminal_without_unicode_gets_no_bar():
    class AsciiScreen(Ascii):
        def isatty(self):
            return True

    assert run(AsciiScreen()).isascii()


def test_quiet_says_nothing():
    assert run(io.StringIO(), quiet=True) == ""
    assert run(Screen(), quiet=True) == ""


def test_close_ends_the_line_once_and_nothing_seen_says_nothing():
    stream = Screen()
    line = ProgressLine(10, stream=stream)
    line.close()
    assert stream.getvalue() == ""
    line.see(3)
    line.close()
    line.close()
    assert stream.getvalue().count("\n") == 1


def test_unknown_total_counts():
    text = run(io.StringIO(), total=0, seconds=3.0, unit="episodes")
    assert "%" not in text
    assert "1,000 episodes" in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (4, "4 s"),
        (9.5, "9.5 s"),
        (9.97, "10 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
    ],
)
def test_durations_for_people(seconds, words):
    assert duration(seconds) == words


def test_a_slow_rate_keeps_its_figures_at_the_end(monkeypatch):
    now = iter([0.0, 10.0, 20.0, 20.0])
    stream = io.StringIO()
    line = ProgressLine(5, stream=stream, unit="folds", clock=lambda: next(now))
    line.see(0)
    line.see(2)
    line.see(5)
    line.close()
    assert "0.25/s  took 20 s" in stream.getvalue()
