"""What a user can get wrong: exit code 2, one clear line, nothing overwritten."""

from __future__ import annotations

import importlib.util
import os

import numpy as np
import pytest

from outside import SMALL, contents, refusal, understudy


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the recording `cart`, the run `first`, and much that is wrong."""
    place = tmp_path_factory.mktemp("errors")
    understudy("record", "CartPole-v1", "--episodes", 2, "-o", "cart", "--quiet", cwd=place)
    words = ("learn", "cart", "--run-id", "first", "--steps", 50, "--quiet", *SMALL)
    understudy(*words, cwd=place)
    (place / "half").write_bytes((place / "cart").read_bytes()[:3000])
    (place / "empty").touch()
    (place / "bare").mkdir()
    (place / "bare" / "readme.txt").write_text("nothing to see")
    (place / "typo.yaml").write_text("steps: 10\nnett:\n  hidden: [3]\n")
    (place / "torn.yaml").write_text("steps: [10\n")
    (place / "twice.yaml").write_text("steps: 10\nsteps: 20\n")
    np.savez(
        place / "choices.npz",
        actions=np.array([[0], [1], [4], [1]]),
        obs=np.zeros((4, 4), np.float32),
        rewards=np.ones(4),
        episode_returns=np.array([4.0]),
        episode_starts=np.array([True, False, False, False]),
    )
    np.savez(
        place / "rewardless.npz",
        obs=np.arange(32, dtype=np.float32).reshape(8, 4),
        acts=np.array([0, 1, 0, 1, 0, 1]),
        infos=np.array([{}] * 6, object),
        terminal=np.array([True, True]),
        indices=np.array([3]),
    )
    return place


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("record LunarLandr-v3 -o new", "Did you mean: `LunarLander`?"),
        ("record LunarLander-v2 -o new", "Please use `LunarLander-v3` instead"),
        ("learn CartPol-v1 --demos cart", "Did you mean: `CartPole`?"),
        ("evaluate first --env CartPol-v1", "Did you mean: `CartPole`?"),
        ("tour CartPol-v1", "Did you mean: `CartPole`?"),
        ("record nowhere.at.all:Some-v0 -o new", "No module named 'nowhere'"),
        ("record Blackjack-v1 -o new", "there is no scripted expert for Blackjack-v1"),
        ("tour Blackjack-v1", "there is no scripted expert for Blackjack-v1"),
    ],
)
def test_an_environment_that_cannot_be_had_is_named_with_what_to_do(place, words, said):
    assert said in refusal(*words.split(), cwd=place)


def test_a_missing_extra_is_named_with_how_to_install_it(place):
    if importlib.util.find_spec("mujoco"):
        pytest.skip("mujoco is installed, so nothing is missing")
    line = refusal("record", "HalfCheetah-v5", "--with", "random", "-o", "new", cwd=place)
    assert line == (
        "understudy: HalfCheetah-v5 needs mujoco, which is not installed: "
        'pip install "understudy[mujoco]"'
    )


def test_demonstrations_of_another_environment_are_refused_with_the_difference(place):
    line = refusal("learn", "Pendulum-v1", "--demos", "cart", cwd=place)
    assert line.startswith("understudy: cart: ")
    assert "vector [3] here and vector [4] there" in line
    line = refusal("evaluate", "first", "--env", "Pendulum-v1", cwd=place)
    assert "the policy does not fit Pendulum-v1" in line


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("half", "byte 3000: the file has 3000 bytes and says that it has"),
        ("empty", "an empty file"),
        ("bare", "a folder without demonstrations (it holds readme.txt)"),
        ("missing.demo", "there is no such file or folder"),
        ("missing.csv", "there is no such file or folder"),
        ("./missing", "there is no such file or folder"),
        ("typo.yaml", "which begin no known file"),
    ],
)
@pytest.mark.parametrize("verb", ["learn", "demos show"])
def test_a_file_that_holds_no_demonstrations_is_named_with_the_reason(place, verb, file, said):
    line = refusal(*verb.split(), file, cwd=place)
    assert line.startswith(f"understudy: {file.removeprefix('./')}: ")
    assert said in line


def test_an_actor_that_is_not_there_is_said_with_what_there_can_be(place):
    for words in (
        "record CartPole-v1 --with me -o new",
        "learn CartPole-v1 --with dagger expert=me",
    ):
        line = refusal(*words.split(), cwd=place)
        assert "no run 'me'; there are: first; expected scripted, human, a run's id" in line
        assert "module:name" in line


def test_a_word_that_has_no_place_is_named(place):
    line = refusal("demos", "delete", "cart", "99", cwd=place)
    assert "unknown: 99; see " in line


def test_a_word_that_names_nothing_is_said_to_be_taken_for_an_environment(place):
    line = refusal("learn", "mising", cwd=place)
    assert "'mising' is no file or folder here, so it is taken for an environment" in line
    assert "--demos FILE" in line
    assert "nothing to learn from" in refusal("learn", cwd=place)
    assert "one environment at a time" in refusal("learn", "cart", "A-v0", "B-v0", cwd=place)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-c typo.yaml", "typo.yaml:2: nett: unknown setting; did you mean net?"),
        ("-c torn.yaml", "torn.yaml:2: not valid YAML: "),
        ("-c twice.yaml", "twice.yaml:2: steps: set twice, first on line 1"),
        ("-c missing.yaml", "missing.yaml: cannot be read: No such file or directory"),
        ("net.hiden=[3]", "net.hiden=[3]': unknown setting; did you mean hidden?"),
        ("steps=-1", "expected a whole number > 0, found -1"),
        ("net.hidden=wide", "expected a list of whole numbers > 0"),
        ("--best 200%", "expected a number > 0 and <= 1, found 2.0"),
        ("--best few%", "expected a number > 0 and <= 1"),
    ],
)
def test_wrong_settings_are_named_with_their_place(place, words, said):
    assert said in refusal("learn", "cart", *words.split(), cwd=place)


def test_all_that_is_wrong_with_settings_is_said_in_one_go(place):
    done = understudy("config", "nett=1", "steps=x", "-c", "twice.yaml", cwd=place, code=2)
    assert len(done.stderr.splitlines()) == 3


def test_a_run_of_the_same_name_is_an_error_that_names_both_ways_on(place):
    line = refusal("learn", "cart", "--run-id", "first", cwd=place)
    assert "there is a run 'first' already" in line
    assert "--resume" in line
    assert "--force" in line
    assert "there is a run 'first'" in refusal(
        "tour", "CartPole-v1", "--run-id", "first", cwd=place
    )


def test_what_cannot_be_resumed_is_an_error(place):
    assert "no run 'other'; there are: first" in refusal(
        "learn", "--resume", "--run-id", "other", cwd=place
    )
    assert "which run?" in refusal("learn", "cart", "--resume", cwd=place)
    both = ("learn", "--resume", "--force", "--run-id", "first")
    assert "give one of them" in refusal(*both, cwd=place)
    assert "there is none at all" in refusal(
        "learn", "--resume", "--run-id", "first", "--results", "elsewhere", cwd=place
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("net.hidden=[8]", "net.hidden is [16], not [8]"),
        ("--seed 3", "seed is 0, not 3"),
        ("CartPole-v1", "env is None, not CartPole-v1"),
        ("--best 50%", "best is 1.0, not 0.5"),
        ("learner.learning_rate=0.1 --demos half", "learner.learning_rate is 0.001, not 0.1"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(place, words, said):
    line = refusal("learn", "--resume", "--run-id", "first", *words.split(), cwd=place)
    assert said in line
    assert "only --steps may be another" in line


@pytest.mark.parametrize("run_id", ["../x", "a b", "latest", "", ".hidden", "a/b", "x" * 101, "é"])
def test_a_run_id_that_is_no_good_name_is_refused(place, run_id):
    line = refusal("learn", "cart", "--run-id", run_id, cwd=place)
    assert line.startswith(f"understudy: run id {run_id!r}: expected a name of letters, digits")


def test_more_choices_than_the_environment_has_are_refused(place):
    line = refusal("learn", "CartPole-v1", "--with", "bc", "--demos", "choices.npz", cwd=place)
    assert line.startswith("understudy: choices.npz: ")
    assert "4" in line


def test_fewer_choices_than_the_environment_has_are_learned_from(place, tmp_path):
    with np.load(place / "choices.npz") as arrays:
        np.savez(tmp_path / "few.npz", **{**arrays, "actions": np.zeros((4, 1), np.int64)})
    words = (
        "learn",
        "CartPole-v1",
        "--with",
        "bc",
        "--demos",
        "few.npz",
        "--steps",
        50,
        "--episodes",
        1,
    )
    understudy(*words, *SMALL, "--quiet", cwd=tmp_path)


def test_the_best_of_episodes_without_rewards_are_not_known(place):
    line = refusal("learn", "rewardless.npz", "--best", "50%", cwd=place)
    assert "reward" in line


def test_a_results_folder_that_cannot_be_written_is_named(place):
    line = refusal("learn", "cart", "--results", "cart", cwd=place)
    assert "understudy: cart" in line
    assert "cart" in refusal("tour", "CartPole-v1", "--results", "cart/deeper", cwd=place)


def test_a_folder_without_the_right_to_write_is_named(place, tmp_path):
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("this user may write everywhere")
    tmp_path.chmod(0o500)
    try:
        line = refusal("learn", "cart", "--results", tmp_path / "new", cwd=place)
    finally:
        tmp_path.chmod(0o700)
    assert str(tmp_path) in line


def test_a_recording_is_never_overwritten(place):
    line = refusal("record", "CartPole-v1", "-o", "cart", cwd=place)
    assert line.startswith("understudy: cart: exists already")
    assert "append" in line
    assert "exists already" in refusal("record", "CartPole-v1", "-o", "bare", cwd=place)
    assert "cart/new" in refusal("record", "CartPole-v1", "-o", "cart/new", cwd=place)
    fit = refusal("record", "Pendulum-v1", "-o", "cart", "--append", cwd=place)
    assert "does not fit what is to be recorded" in fit
    assert "half" in refusal("record", "CartPole-v1", "-o", "half", "--append", cwd=place)
    assert "absent" in refusal("record", "CartPole-v1", "-o", "absent", "--append", cwd=place)


def test_a_run_that_is_not_there_cannot_act(place):
    assert "no run 'other'; there are: first" in refusal("evaluate", "other", cwd=place)
    assert "no run 'other'" in refusal(
        "record", "CartPole-v1", "--with", "other", "-o", "new", cwd=place
    )
    assert "say where to play (--env ENV)" in refusal("evaluate", "first", cwd=place)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lern cart", "did you mean learn?"),
        ("learn cart --stpes 3", "did you mean --steps?"),
        ("learn cart --step 3", "did you mean --steps?"),
        ("demos shwo cart", "did you mean show?"),
        ("demos", "required: TOOL"),
        ("evaluate", "required: RUN"),
        ("record CartPole-v1", "required: -o/--output"),
        ("learn cart --steps 0", "expected 1 or more"),
        ("learn cart --seed -1", "-1 is below 0"),
        ("record CartPole-v1 -o new --episodes many", "'many' is not a whole number"),
        ("evaluate first second", "unknown: second"),
    ],
)
def test_an_unknown_word_is_named_with_the_nearest_and_where_help_is(place, words, said):
    line = refusal(*words.split(), cwd=place)
    assert said in line
    assert line.endswith("--help'")


def test_an_error_tells_programs_nothing_on_standard_output(place):
    before = contents(place)
    done = understudy("demos", "show", "half", "--json", cwd=place, code=2)
    assert done.stdout == ""
    assert contents(place) == before
