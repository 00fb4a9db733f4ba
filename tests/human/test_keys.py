"""Which key does what."""

from __future__ import annotations

import itertools

import pytest

from understudy.data.spec import ActionSpec
from understudy.errors import ConfigError
from understudy.human.keys import Choice, Command, Number, default_table
from understudy.human.keys_file import read_keys

SPECS = {
    "two": ActionSpec(branches=(2,)),
    "three": ActionSpec(branches=(3,)),
    "four": ActionSpec(branches=(4,)),
    "eighteen": ActionSpec(branches=(18,)),
    "several": ActionSpec(branches=(3, 2, 2)),
    "bits": ActionSpec(branches=(2,) * 12),
    "numbers": ActionSpec(continuous=3, low=(-1, 0, -5), high=(1, 2, 5)),
    "hybrid": ActionSpec(continuous=2, branches=(3, 2)),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_default_reaches_everything_and_no_key_means_two_things(spec):
    table = default_table(spec)
    reached = set(table.keys.values())
    for branch, size in enumerate(spec.branches):
        for choice in range(size):
            at_rest = table.idle[branch] in (choice, "last") and choice == 0
            assert Choice(branch, choice) in reached or table.idle[branch] == choice or at_rest
    for number in range(spec.continuous):
        values = {d.value for d in reached if isinstance(d, Number) and d.number == number}
        assert len(values) == 2
        assert all(spec.low[number] <= v <= spec.high[number] for v in values)
    assert not set(table.keys) & set(table.commands)
    assert set(table.commands.values()) == set(Command)


def test_what_keys_do_by_default():
    assert default_table(SPECS["two"]).keys["left"] == Choice(0, 0)
    assert default_table(SPECS["two"]).idle == ("last",)
    assert default_table(SPECS["three"]).idle == (1,)
    assert default_table(SPECS["four"]).keys["up"] == Choice(0, 2)
    assert default_table(SPECS["numbers"]).keys["right"] == Number(0, 1.0)
    unbounded = default_table(SPECS["hybrid"])
    assert (unbounded.keys["left"], unbounded.keys["up"]) == (Number(0, -1.0), Number(1, 1.0))
    assert unbounded.idle == (0, 0)


def test_every_key_is_named_for_people():
    table = default_table(SPECS["hybrid"])
    told = "\n".join(table.lines())
    for key in itertools.chain(table.keys, table.commands, table.axes):
        assert key in told


def test_more_than_there_are_keys_for_is_refused_with_the_way_out():
    for spec in (
        ActionSpec(branches=(99,)),
        ActionSpec(continuous=30),
        ActionSpec(branches=(40, 9)),
    ):
        with pytest.raises(ConfigError, match=r"name those that you need in a file \(--keys\)"):
            default_table(spec)


def test_a_file_replaces_what_it_names(tmp_path):
    path = tmp_path / "keys.yaml"
    path.write_text(
        "keys:\n  a: branch 0 = 2\n  B: number 0 = -0.5\n  1: branch 1 = 1\n"
        "idle: [last, 1]\naxes: {-pad axis 3: 1}\ncommands: {q: quit}\n"
        "ramp_seconds: 1\nwait: true\nslow: 2\nundo_steps: 5\n"
    )
    table = read_keys(path, SPECS["hybrid"])
    assert table.keys == {"a": Choice(0, 2), "b": Number(0, -0.5), "1": Choice(1, 1)}
    assert table.idle == ("last", 1)
    assert table.axes == {"-pad axis 3": 1}
    assert table.commands == {"q": Command.QUIT}
    assert (table.ramp_seconds, table.wait, table.slow, table.undo_steps) == (1, True, 2, 5)
    path.write_text("ramp_seconds: 0\n")
    assert read_keys(path, SPECS["hybrid"]).keys == default_table(SPECS["hybrid"]).keys


def test_a_file_serves_where_the_default_has_too_few_keys(tmp_path):
    path = tmp_path / "keys.yaml"
    path.write_text("keys: {a: number 29 = 1}\n")
    assert read_keys(path, ActionSpec(continuous=30)).keys == {"a": Number(29, 1.0)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("keys: {a: branch 5 = 0}", "branch 5, there are 2, counted from 0"),
        ("keys: {a: branch 0 = 3}", "choice 3, expected 0 to 2"),
        ("keys: {a: number 0 = x}", "'x' is no number"),
        ("keys: {a: number 0 = .inf}", "'.inf' is no number"),
        ("keys: {a: number 0 = inf}", "inf is outside"),
        ("keys: {a: jump}", "neither 'branch B = CHOICE' nor 'number N = X'"),
        ("keys: [a]", "expected a mapping"),
        ("kyes: {}", "there is no 'kyes'; there are keys"),
        ("idle: [0]", "expected a list with 2 entries"),
        ("idle: [0, 9]", "idle of branch 1: choice 9"),
        ("axes: {stick: 0}", "expected 'pad axis N'"),
        ("axes: {pad axis 0: 7}", "number 7, there are 2"),
        ("commands: {q: leave}", "'leave', expected one of pause"),
        ("ramp_seconds: -1", "expected a number, 0 or more"),
        ("slow: 0.5", "a factor of 1 or more"),
        ("undo_steps: 0", "a whole number, 1 or more"),
        ("wait: 3", "expected true or false"),
        ("[1, 2", "no YAML"),
        ("- 1", "expected a mapping with keys"),
    ],
)
def test_a_file_that_says_something_else_is_refused_in_one_line(tmp_path, text, why):
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_keys(path, SPECS["hybrid"])
    assert why in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_keys(tmp_path / "none.yaml", SPECS["two"])
