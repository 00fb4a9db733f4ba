"""`understudy demos`: every tool as a person and as a program meet it.

The tools run inside this process, which is quicker; that a process says the same is tested once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import outside
from made_up import CHOICES, HYBRID, make_demos, make_episode
from mutants import content
from understudy.cli import main
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End
from understudy.data.formats.door import load_demos
from understudy.data.formats.native import write_demos
from understudy.data.formats.writers import WRITERS

Say = Callable[..., str]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """`say(words)`: what `understudy demos WORDS` answers in a folder with the file `a`."""
    rng = np.random.default_rng(0)
    episodes = [make_episode(CHOICES, steps, rng) for steps in (5, 7, 9, 11)]
    episodes[1] = replace(episodes[1], end=End.TRUNCATED, tags=("good",), info={"success": True})
    write_demos(tmp_path / "a", Demos(CHOICES, episodes, Provenance(format="understudy")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    def said(*words: object) -> str:
        assert main(["demos", *map(str, words)]) == 0
        told = capsys.readouterr()
        assert told.err == ""
        return told.out

    return said


@pytest.fixture
def refused(say: Say, capsys: pytest.CaptureFixture[str]) -> Say:
    """`refused(words)`: the line in which they are refused; no file is there, gone or other."""

    def line(*words: object) -> str:
        before = outside.contents(Path.cwd())
        assert main(["demos", *map(str, words)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert outside.contents(Path.cwd()) == before
        (one,) = told.err.splitlines()
        assert one.startswith("understudy: ")
        return one

    return line


@pytest.fixture
def told(say: Say) -> Callable[..., Any]:
    """What a program is answered."""
    return lambda *words: json.loads(say(*words, "--json"))


def lengths(path: str) -> list[int]:
    return load_demos(path).lengths.tolist()


def test_a_process_says_what_is_said_here(say: Say, tmp_path: Path) -> None:
    here = say("show", "a", "--table")
    assert outside.understudy("demos", "show", "a", "--table", cwd=tmp_path).stdout == here


# show ---------------------------------------------------------------------------------------------


def test_the_table_lists_every_episode_with_what_is_known_of_it(say: Say) -> None:
    lines = say("show", "a", "--table").splitlines()[-5:]
    assert lines[0].split() == ["episode", "steps", "return", "ended", "success", "tags"]
    assert lines[1].split() == ["1", "5", "5.00", "terminated"]
    assert lines[2].split() == ["2", "7", "7.00", "truncated", "yes", "good"]
    assert lines[4].split() == ["4", "11", "11.00", "terminated"]


def test_only_what_was_asked_for_is_shown(say: Say, told: Any) -> None:
    assert say("show", "a", "--episodes", "2-3").startswith("2 episodes, 16 steps")
    found = told("show", "a", "--min-length", 9, "--table")
    assert found["episodes"] == 2
    assert [entry["number"] for entry in found["table"]] == [3, 4]


def test_deleted_episodes_are_listed_as_such_and_mentioned(say: Say) -> None:
    say("delete", "a", "--episodes", 3)
    assert say("show", "a").splitlines()[-1].startswith("1 episode deleted")
    assert [line.split()[0] for line in say("show", "a", "--table").splitlines()[-4:]] == [*"1234"]
    assert say("show", "a", "--table").splitlines()[-2].endswith("deleted")


def test_pictures_that_were_seen_are_shown_in_letters(say: Say) -> None:
    write_demos(Path("b"), make_demos(HYBRID, (6, 8)))
    text = say("show", "b", "--frames")
    assert "episode 1, camera" in text
    assert "step 0" in text
    assert "\x1b" not in text, "no colors where nobody looks"
    assert "no pictures" in say("show", "a", "--frames")


# convert and merge --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in WRITERS if n != "understudy"])
def test_what_is_converted_there_and_back_is_the_same_but_for_what_was_said(
    name: str, say: Say, told: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    spec = replace(
        CHOICES,
        action=replace(CHOICES.action, branches=(), continuous=2, low=(-1, -1), high=(1, 1)),
    )
    demos = Demos(spec, [make_episode(spec, steps, rng) for steps in (5, 7)])
    write_demos(tmp_path / "b", demos)
    found = told("convert", "b", "-o", "there", "--to", name)
    assert (found["format"], found["episodes"], found["steps"]) == (name, 2, 12)
    assert all(isinstance(what, str) for what in found["left_out"])
    say("convert", "there", "-o", "back")
    back = load_demos("back")
    for was, now in zip(demos, back, strict=True):
        (seen,) = now.obs.values()
        kept = slice(None) if now.final_obs_known else slice(-1)
        assert np.array_equal(seen[kept], was.obs["obs"][kept])
        assert np.array_equal(now.action.continuous, was.action.continuous)
        assert now.reward is not None
        assert now.reward.tolist() == [1.0] * len(was)


def test_what_a_format_has_no_place_for_is_said_line_by_line(say: Say) -> None:
    text = say("convert", "a", "-o", "m", "--to", "minari").splitlines()
    assert text[0] == "m: 4 episodes, 32 steps, format minari"
    assert text[1:]
    assert all(line.startswith("left out, for the format has no place") for line in text[1:])


def test_an_ending_says_the_format_unless_several_share_it(say: Say, refused: Say) -> None:
    assert "format understudy" in say("convert", "a", "-o", "b.demos")
    assert "format understudy" in say("convert", "a", "-o", "b")
    assert "continuous actions only" in refused("convert", "a", "-o", "b.h", "--to", "robomimic")


def test_converting_some_episodes_leaves_the_others(say: Say) -> None:
    say("convert", "a", "-o", "b", "--end", "truncated")
    assert lengths("b") == [7]
    assert load_demos("b").episodes[0].label == ""


def test_merged_episodes_keep_their_order_labels_and_origins(say: Say) -> None:
    other = Provenance(format="understudy", env_id="Other-v0", actor="somebody")
    write_demos(Path("b"), replace(make_demos(lengths=(3,)), provenance=other))
    say("rename", "a", 1, "the first")
    assert say("merge", "a", "b", "-o", "c") == "c: 2 files: 5 episodes, 35 steps\n"
    demos = load_demos("c")
    assert [len(e) for e in demos] == [5, 7, 9, 11, 3]
    assert [e.label for e in demos] == ["the first", "a#2", "a#3", "a#4", "b#1"]
    assert demos.episodes[1].tags == ("good",)
    sessions = demos.episodes.sessions  # type: ignore[attr-defined]
    assert [session["env_id"] for session in sessions] == [None, "Other-v0"]


def test_what_does_not_fit_is_not_merged(refused: Say) -> None:
    write_demos(Path("b"), make_demos(HYBRID, (3,)))
    assert "b does not fit a: observation 'obs'" in refused("merge", "a", "b", "-o", "c")


# filter, cut, split -------------------------------------------------------------------------------


def test_filtering_keeps_what_is_as_asked(say: Say) -> None:
    assert say("filter", "a", "--min-return", 7, "-o", "b") == "b: 3 episodes, 27 steps (of 4)\n"
    assert [(e.label, len(e)) for e in load_demos("b")] == [("a#2", 7), ("a#3", 9), ("a#4", 11)]
    say("filter", "a", "--success", "-o", "c")
    assert lengths("c") == [7]
    say("filter", "a", "--no-tag", "good", "--max-length", 9, "-o", "d")
    assert lengths("d") == [5, 9]


def test_cutting_keeps_the_steps_that_were_asked_for(say: Say) -> None:
    assert say("cut", "a", "--rows", "2:6", "-o", "b") == "b: 4 episodes, 15 steps (of 4)\n"
    whole, part = load_demos("a").episodes[3], load_demos("b").episodes[3]
    assert np.array_equal(part.obs["obs"], whole.obs["obs"][2:7])
    assert part.end is End.TRUNCATED
    say("cut", "a", "--rows=-2:", "--episodes", 1, "-o", "c")
    assert [(len(e), e.end) for e in load_demos("c")] == [(2, End.TERMINATED)]


def test_splitting_by_share_draws_whole_episodes(say: Say, told: Any) -> None:
    found = told("split", "a", "--test", "25%", "-o", "parts/b.demos")
    assert [Path(f["file"]).name for f in found["files"]] == ["b-train.demos", "b-test.demos"]
    train, test = lengths("parts/b-train.demos"), lengths("parts/b-test.demos")
    assert (len(train), len(test), sorted(train + test)) == (3, 1, [5, 7, 9, 11])
    say("split", "a", "--test", "0.25", "-o", "again.demos")
    assert content(load_demos("again-test.demos")) == content(load_demos("parts/b-test.demos"))
    say("split", "a", "--test", "0.25", "--seed", 3, "-o", "other.demos")
    assert lengths("other-test.demos") != test


def test_splitting_by_number_keeps_the_order(say: Say) -> None:
    say("split", "a", "--every", 3, "-o", "b")
    assert (lengths("b-1"), lengths("b-2")) == ([5, 7, 9], [11])


# edits --------------------------------------------------------------------------------------------


def test_an_episode_is_deleted_and_shown_again(say: Say, told: Any) -> None:
    assert say("delete", "a", "--episodes", "1,3").splitlines() == [
        "a: episodes 1, 3 deleted",
        "bring back what was with: understudy demos undo a",
    ]
    assert lengths("a") == [7, 11]
    assert told("undelete", "a", "--episodes", 3) == {"file": "a", "changed": [3]}
    assert lengths("a") == [7, 9, 11]
    assert say("undelete", "a") == "a: episode 1 shown again\n"
    assert lengths("a") == [5, 7, 9, 11]


def test_edits_are_listed_and_undone_the_last_first(say: Say, told: Any) -> None:
    before = content(load_demos("a"))
    say("tag", "a", "--min-length", 9, "--add", "long", "--add", "success")
    say("rename", "a", 4, "the longest")
    say("delete", "a", "--end", "truncated")
    assert [edit["verb"] for edit in told("undo", "a", "--list")["edits"]] == [
        "tag", "rename", "delete",
    ]  # fmt: skip
    assert say("undo", "a", "--list").splitlines()[0].endswith("delete    episode 2")
    assert load_demos("a").episodes[2].label == "the longest"
    assert load_demos("a").episodes[2].tags == ("long", "success")
    assert "delete    episode 2" in say("undo", "a")
    assert told("undo", "a")["undone"]["verb"] == "rename"
    say("undo", "a")
    assert [(e.label, e.tags) for e in load_demos("a")] == [
        ("", ()),
        ("", ("good",)),
        ("", ()),
        ("", ()),
    ]
    assert content(load_demos("a")) == before
    assert say("undo", "a") == "there is no edit to undo\n"
    assert say("undo", "a", "--list") == "no edit\n"


def test_packing_drops_for_good_and_keeps_the_numbers(say: Say, refused: Say, told: Any) -> None:
    say("delete", "a", "--episodes", "1-2")
    found = told("pack", "a")
    assert (found["dropped_episodes"], found["forgotten_edits"]) == (2, 1)
    assert [e["number"] for e in told("show", "a", "--table")["table"]] == [3, 4]
    assert say("undo", "a") == "there is no edit to undo\n"
    assert "no episode is deleted" in refused("undelete", "a")
    assert "no episode is called 1" in refused("rename", "a", 1, "x")


def test_what_is_so_already_is_no_edit(say: Say, told: Any) -> None:
    assert say("tag", "a", "--episodes", 2, "--add", "good") == "a: nothing to change\n"
    assert told("undo", "a", "--list")["edits"] == []


# play ---------------------------------------------------------------------------------------------


@pytest.fixture
def cart(say: Say) -> str:
    """A recording of CartPole."""
    words = ("CartPole-v1", "--with", "random", "--episodes", "3", "-o", "cart", "--quiet")
    assert main(["record", *words]) == 0
    return "cart"


def test_replaying_says_that_the_simulator_reproduces_the_recording(
    say: Say, told: Any, cart: str
) -> None:
    lines = say("play", cart, "--replay").splitlines()
    assert lines[0] == "doing 3 episodes again in CartPole-v1"
    assert [line.split()[4:6] for line in lines[2:5]] == [["the", "end"]] * 3
    assert lines[-1] == "3 of 3 episodes come out as recorded, within 1e-05."
    found = told("play", cart, "--replay", "--tolerance", 0, "--episodes", "2-3")
    assert [(e["number"], e["again"]["first_difference"]) for e in found["episodes"]] == [
        (2, None),
        (3, None),
    ]


def test_replaying_says_where_a_recording_is_left(say: Say, told: Any, cart: str) -> None:
    demos = load_demos(cart)
    episodes = list(demos)
    episodes[0].obs["obs"][4:, 2] += 0.25
    episodes[1] = replace(episodes[1], seed=None)
    write_demos(
        Path("b"), replace(demos, episodes=episodes, provenance=Provenance(format="memory"))
    )
    found = told("play", "b", "--replay", "--env", "CartPole-v1")["episodes"]
    first = found[0]["again"]["first_difference"]
    assert (first["step"], first["what"]) == (4, "obs")
    assert first["by"] == pytest.approx(0.25, abs=1e-6)
    assert found[1]["again"] is None
    text = say("play", "b", "--replay", "--env", "CartPole-v1")
    assert "step 3" in text
    assert "no seed was recorded" in text
    assert "1 of 2 episodes come out as recorded" in text


def test_episodes_are_filmed_as_they_are_done_again(say: Say, cart: str) -> None:
    text = say("play", cart, "--film", "films/cart.webp", "--first", 1)
    assert "film: films/cart.webp" in text
    with Image.open("films/cart.webp") as image:
        assert getattr(image, "n_frames", 1) > 5


def test_without_a_display_a_recording_is_compared_in_words(say: Say, cart: str) -> None:
    assert "there is no display here; --film FILE.webp makes a film" in say("play", cart)


def test_recorded_pictures_are_shown_and_filmed_without_an_environment(say: Say, told: Any) -> None:
    write_demos(Path("b"), make_demos(HYBRID, (6, 8)))
    assert "episode 2, camera" in say("play", "b", "--episodes", 2)
    found = told("play", "b", "--film", "b.gif", "--episodes", 2)
    assert (found["shown"], found["camera"], found["episodes"]) == ("frames", "camera", [2])
    with Image.open("b.gif") as image:
        assert image.size == (
            16 * 12,
            12 * 12,
        )  # 16 x 12 pixels, made 200 // 16 = 12 times as large
        assert getattr(image, "n_frames", 1) == 9


# what is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("show nowhere", "there is no such file"),
        ("show a --episodes 9", "no episode is called 9; they are 1 to 4"),
        ("show a --episodes x", "expected numbers and ranges such as 3,5-9"),
        ("show a --min-return 99", "none of the 4 episodes is as was asked: min return 99"),
        ("convert a -o a", "a: exists already"),
        ("convert a -o b --to nope", "there is no such format; there are understudy: "),
        ("merge a a -o a", "a: exists already"),
        ("merge a nowhere -o b", "there is no such file"),
        ("filter a -o b", "filter: by what?"),
        ("filter a -o b --tag never", "none of the 4 episodes"),
        ("cut a -o b --rows 3", "expected A:B"),
        ("cut a -o b --rows 50:", "no episode has such a step; the longest has 11 steps"),
        ("split a -o b --test 2", "expected a share above 0 and below 1"),
        ("split a -o b --test 50% --episodes 1", "1 episode cannot be divided"),
        ("delete a", "delete: which episodes?"),
        ("delete a --episodes 1,9", "no episode is called 9"),
        ("delete nowhere --episodes 1", "No such file"),
        ("undelete a", "no episode is deleted"),
        ("tag a --episodes 1", "tag: with what?"),
        ("tag a --episodes 1 --add a,b", "the tag 'a,b'"),
        ("rename a 9 x", "no episode is called 9"),
        ("undo nowhere", "No such file"),
        ("pack nowhere", "No such file"),
        ("play a", "does not say its environment"),
        ("play a --env CartPole-v1", "CartPole-v1 is not where this was recorded"),
        ("play a --env Nope-v0", "Nope"),
        ("play a --film b.mp4", "a film is made as .webp or .gif"),
        ("play a --replay --film b.gif", "shows nothing"),
        ("play a --tolerance nan", "expected a number, 0 or more"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_changed(
    words: str, message: str, refused: Say
) -> None:
    assert message in refused(*words.split())


def test_no_file_of_a_split_replaces_another(refused: Say) -> None:
    Path("b-test").write_text("precious")
    assert "b-test: exists already" in refused("split", "a", "--test", "50%", "-o", "b")


def test_a_file_of_another_format_is_not_edited(refused: Say) -> None:
    Path("text").write_text("hello" * 100)
    assert "not a demonstration file" in refused("delete", "text", "--episodes", 1)


def test_a_file_that_cannot_be_written_is_not_edited(refused: Say, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anything")
    (tmp_path / "a").chmod(0o444)
    assert "cannot be opened for writing" in refused("delete", "a", "--episodes", 1)
