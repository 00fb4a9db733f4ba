from __future__ import annotations

import io

import numpy as np

from made_up import Ascii, Screen, make_choices, make_evaluation, make_numbers
from understudy.report.tables import (
    Table,
    evaluation_table,
    offline_table,
    plain_table,
    print_table,
)
from understudy.run.evaluate import Evaluation

EMPTY = Evaluation(np.zeros(0), np.zeros(0, np.int64))


def written(table, stream=None):
    stream = io.StringIO() if stream is None else stream
    print_table(table, stream)
    return stream.getvalue()


def test_evaluation_table_has_a_row_for_everybody():
    table = evaluation_table({"expert": make_evaluation(264), "random": make_evaluation(-180)})
    assert [row[0] for row in table.rows] == ["expert", "random"]
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert table.rows[0][1] == "100"
    assert table.rows[1][2].startswith("−1")
    assert " to " in table.rows[0][3]


def test_actor_without_episodes_has_dashes():
    assert evaluation_table({"learned": EMPTY}).rows == (("learned", "0", "–", "–", "–", "–"),)


def test_offline_table_has_every_part_beside_both_baselines():
    table = offline_table(make_choices([0.9, 0.8], [0.5, 0.6], [0.4, 0.3]))
    assert table.rows[0] == ("branch 0, as shown", "90%", "50%", "40%", "90%")
    assert table.rows[2][:2] == ("all branches, as shown", "72%")
    assert table.rows[-1][0] == "log-likelihood, nats per step"
    assert "1,000 held-out steps of 5 episodes" in table.note


def test_offline_table_of_numbers_has_errors_in_their_units():
    table = offline_table(make_numbers([0.75]))
    assert table.rows[0][:2] == ("number 0, explained", "75%")
    assert table.rows[1][:2] == ("number 0, error (RMSE)", "0.5")


def test_offline_table_of_very_many_parts_is_cut_and_says_so():
    table = offline_table(make_choices([0.9] * 60, [0.5] * 60, [0.5] * 60))
    assert len(table.rows) < 30
    assert "first 24 of 60 parts" in table.note


def test_plain_table_is_aligned_without_a_control_code():
    text = written(evaluation_table({"a": make_evaluation(1), "longer name": make_evaluation(-1)}))
    lines = text.splitlines()
    assert len({len(line) for line in lines[:4]}) == 1
    assert not any(ord(c) < 32 for c in text.replace("\n", ""))


def test_names_cannot_steer_a_terminal():
    evil = "\x1b[31mred\x1b[0m\r\n[bold]x[/bold]"
    table = Table(("", "x"), ((evil, "1"),), "note\x07")
    for stream in (io.StringIO(), Screen()):
        text = written(table, stream)
        assert "\x1b[31m" not in text
        assert "\x07" not in text
        assert "\r" not in text
        assert "[bold]x[/bold]" in text


def test_terminal_gets_the_same_cells():
    table = evaluation_table({"learned (deterministic)": make_evaluation(-250.0)})
    text = written(table, Screen())
    assert all(cell in text for cell in table.rows[0])


def test_stream_without_unicode_gets_ascii():
    table = evaluation_table({"random": make_evaluation(-180), "nobody": EMPTY})
    text = written(table, Ascii())
    assert text.isascii()
    assert "-1" in text


def test_note_is_wrapped():
    assert max(map(len, plain_table(Table(("",), (("a",),), "word " * 60)).splitlines())) <= 100
