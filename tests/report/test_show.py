from __future__ import annotations

import io

import pytest
from PIL import Image

from made_up import CHOICES, HYBRID, Ascii, make_demos
from understudy.data.summary import summarize
from understudy.report.plain import bars, printable, said
from understudy.report.show import describe, draw, words


def test_words_say_how_much_of_what():
    text = words(make_demos(env_id="LunarLander-v3", files=("a/b.demos",), format="understudy"))
    assert text.splitlines()[0] == "3 episodes, 21 steps of LunarLander-v3"
    assert "b.demos (format understudy)" in text
    assert "21 steps" in text
    assert "one of 3 choices: 0 (" in text
    assert "ended by themselves" in text


def test_alignment_stands_with_its_reason():
    text = words(make_demos(alignment="next_record", reason="it explains what happened"))
    assert "next record: it explains what happened" in text


def test_every_kind_of_observation_is_described():
    text = words(make_demos(HYBRID, (20, 30)))
    assert "body: 3 numbers" in text
    assert "camera: image 12×16×3 uint8, 0 to 255" in text
    assert "others: up to 4 entities of 2 numbers" in text
    assert "allowed: action mask of 5 choices, 0% forbidden" in text
    assert "branch 1: one of 2 choices" in text
    assert "number 1: mean" in text


def test_text_fits_its_width_and_has_no_control_code():
    demos = make_demos(reason="word " * 80, alignment="same_record", notes=("\x1b[31mred\x1b[0m",))
    text = describe(summarize(demos), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_histogram_is_drawn_only_where_it_can_be_read():
    demos = make_demos(lengths=tuple(range(1, 30)))
    assert "█" in words(demos, io.StringIO())
    assert words(demos, Ascii()).isascii()


def test_recordings_without_rewards_say_so():
    assert "returns    not recorded" in words(make_demos(reward=None))


def test_single_episode_has_figures_instead_of_spreads():
    text = words(make_demos(lengths=(7,)))
    assert "lengths    7 steps" in text
    assert "±" not in text


def test_repeated_episodes_are_pointed_out():
    demos = make_demos()
    text = words(demos.pick([0, 1, 0]))
    assert "1 episode repeats another exactly (episode 2 is episode 0)" in text


def test_many_choices_name_the_most_frequent():
    from understudy.data.spec import ActionSpec, Obs, Spec

    many = Spec(obs={"o": Obs(kind="vector", shape=())}, action=ActionSpec(branches=(60,)))
    text = words(make_demos(many, (20,)))
    assert "most often" in text
    assert "never" in text


def test_very_many_observations_and_numbers_are_cut():
    from understudy.data.spec import ActionSpec, Obs, Spec

    wide = Spec(
        obs={f"o{i}": Obs(kind="vector", shape=(1,)) for i in range(20)},
        action=ActionSpec(continuous=30, branches=(2,) * 9),
    )
    text = words(make_demos(wide, (4,)))
    assert "and 12 more" in text
    assert "and 24 more numbers" in text
    assert "and 3 more branches" in text
    assert len(text.splitlines()) < 40


def test_no_episode_at_all_is_described():
    text = words(make_demos(CHOICES, ()))
    assert text.startswith("0 episodes, 0 steps")


def test_draw_writes_a_picture(tmp_path):
    draw(make_demos(), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("counts", "drawn"), [([0, 1, 8], "·▂█"), ([1, 1], "██"), ([], ""), ([0, 0], "")]
)
def test_bars_show_every_bin_that_is_not_empty(counts, drawn):
    assert bars(counts) == drawn


def test_what_is_said_fits_the_stream():
    assert printable("a\x1b[1mb\nc") == "a�[1mb c"
    assert said("−1 ± 2 … 学", Ascii()) == "-1 +- 2 ... ?"
