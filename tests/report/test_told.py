"""Verdicts on a terminal and in a pipe."""

from __future__ import annotations

import io

from made_up import make_evaluation
from understudy.report.told import print_judged, print_played
from understudy.report.verdict import Verdict


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_verdict_is_a_headline_and_wrapped_sentences():
    pipe = io.StringIO()
    verdict = Verdict("partial", ("Word " * 30 + "end.", "Short."))
    print_judged("On held-out demonstrations", "Acts only partly", verdict, pipe)
    lines = pipe.getvalue().splitlines()
    assert lines[0] == "On held-out demonstrations: acts only partly."
    assert lines[1].startswith("- Word")
    assert lines[2].startswith("  Word")
    assert lines[3] == "- Short."
    assert max(map(len, lines)) <= 100


def test_a_headline_has_color_on_a_terminal_alone(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    verdict = Verdict("good", ("Fine\x1b[31m.",))
    terminal, pipe = Terminal(), io.StringIO()
    print_judged("In it", "Good", verdict, terminal)
    print_judged("In it", "Good", verdict, pipe)
    assert "\x1b[1;32mIn it: good." in terminal.getvalue()
    assert "\x1b" not in pipe.getvalue()
    assert "\x1b[31m" not in terminal.getvalue()


def test_who_was_played_stands_below_where_the_policy_stands():
    pipe = io.StringIO()
    print_played(
        {"learned": make_evaluation(250, 10), "demonstrations": make_evaluation(264, 10)}, pipe
    )
    told = pipe.getvalue()
    assert told.startswith("In the environment: ")
    assert "The demonstrations brought" in told
    assert told.index("demonstrations brought") < told.index("95% interval   ")
    pipe = io.StringIO()
    print_played({"expert": make_evaluation(264, 10)}, pipe)
    assert "In the environment" not in pipe.getvalue()
