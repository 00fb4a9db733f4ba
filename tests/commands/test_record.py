"""Recording at the command line: who acts, what is kept, and when it is enough."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from outside import PYTHON, answer, refusal, surroundings, understudy
from understudy.data.episode import ActedBy, End
from understudy.data.formats.door import load_demos

POLICIES = Path(__file__).parents[1] / "run" / "policies"
MINE = """
def lean(obs):
    return int(obs[2] + obs[3] > 0)


def fails(obs):
    return obs.nothing


def mute(obs):
    return None


class Pilot:
    def act(self, obs):
        return int(obs[3] > 0)


pilot = Pilot()
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("import nowhere_at_all\n")
    (tmp_path / "odd.py").write_text("1 / 0\n")
    return tmp_path


def cart(*words):
    return ("record", "CartPole-v1", "-o", "demos", *words)


@pytest.mark.parametrize("who", ["mine:lean", "mine:pilot"])
def test_a_function_or_an_object_of_the_current_folder_acts(place, who):
    found = answer(*cart("--with", who, "--episodes", 2), cwd=place)
    assert (found["episodes"], found["actor"]) == (2, who)
    first = load_demos(place / "demos").episodes[0]
    tilt, turn = first.obs["obs"][:-1, 2], first.obs["obs"][:-1, 3]
    wanted = tilt + turn > 0 if who == "mine:lean" else turn > 0
    assert first.action.discrete[:, 0].tolist() == wanted.astype(int).tolist()
    assert set(first.acted_by) == {ActedBy.SCRIPT}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--with", "mine:nope"), "there is no 'nope' in mine"),
        (("--with", "mien:lean"), "is mien.py here?"),
        (("--with", "broken:x"), "No module named 'nowhere_at_all'"),
        (("--with", "odd:x"), "cannot be imported: ZeroDivisionError: division by zero"),
        (("--with", "mine:Pilot"), "expected an object, not its class"),
        (("--with", "none.zip"), "none.zip: there is no such file"),
        (("--with", str(POLICIES / "td3.zip")), "sees 5 numbers, the environment gives 4"),
        (("--with", "human"), "--terminal takes keys from standard input"),
        (("--with", "human", "--slots", "2"), "a person plays in one environment, not 2"),
        (("--with", "human,human"), "two players need an environment with two agents"),
        (("--with", "human", "--keys", "none.yaml"), "none.yaml: cannot be read"),
        (("--keys", "keys.yaml"), "say --with human"),
        (("--until", "success"), "only a person marks an episode"),
        (("--until", "later"), "expected a number of steps, return=R or success"),
        (("--until", "return=x"), "'x' is not a number"),
        (("--min-return", "nan"), "'nan' is not a number"),
        (("--noise", "-1"), "expected a number, 0 or more"),
        (("--with", "mine:lean", "--sampled"), "--sampled is for runs"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(place, monkeypatch, words, why):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert why in refusal(*cart(*words), cwd=place)


@pytest.mark.parametrize(
    ("who", "why"),
    [("mine:fails", "AttributeError"), ("mine:mute", "mine:mute returned None")],
)
def test_an_actor_that_fails_is_said_in_one_line(place, who, why):
    done = understudy(*cart("--with", who, "--quiet"), cwd=place, code=2)
    (line,) = done.stderr.splitlines()
    assert why in line


def test_a_policy_of_stable_baselines_acts(place):
    found = answer(*cart("--with", POLICIES / "ppo.zip", "--episodes", 3), cwd=place)
    assert found["episodes"] == 3
    assert set(load_demos(place / "demos").episodes[0].acted_by) == {ActedBy.POLICY}


def test_episodes_that_bring_too_little_are_counted_and_not_kept(place):
    words = ("--with", "random", "--episodes", 6, "--slots", 3, "--min-return", 25)
    told = understudy(*cart(*words, "--seed", 3), cwd=place).stdout.splitlines()
    demos = load_demos(place / "demos")
    assert all(episode.return_ >= 25 for episode in demos)
    assert sorted(episode.agent for episode in demos) == [0, 0, 1, 1, 2, 2]
    assert told[1].startswith("discarded: ")
    assert told[1].endswith("episodes of a return below 25")


def test_giving_up_is_an_error_that_says_what_there_is(place):
    words = ("--with", "random", "--min-return", 400, "--tries", 5, "--quiet")
    (line,) = understudy(*cart(*words), cwd=place, code=2).stderr.splitlines()
    assert "gave up with 0 episodes kept" in line
    assert "--tries" in line


def test_so_many_steps_are_enough(place):
    found = answer(*cart("--with", "random", "--until", 100, "--slots", 2), cwd=place)
    demos = load_demos(place / "demos")
    assert found["steps"] >= 100
    for slot in (0, 1):
        lengths = [len(e) for e in demos if e.agent == slot]
        assert sum(lengths) >= 50 > sum(lengths[:-1])
    assert all(e.end is End.TERMINATED for e in demos)


def test_an_episode_that_brings_enough_is_the_last(place):
    answer(*cart("--with", "random", "--until", "return=30"), cwd=place)
    returns = [e.return_ for e in load_demos(place / "demos")]
    assert returns[-1] >= 30
    assert all(r < 30 for r in returns[:-1])


def test_noise_is_done_and_what_was_meant_is_recorded_beside_it(place):
    answer(*cart("--with", "mine:lean", "--episodes", 3, "--noise", 0.3), cwd=place)
    differ = 0
    for episode in load_demos(place / "demos"):
        assert episode.proposed is not None
        seen = episode.obs["obs"][:-1]
        meant = (seen[:, 2] + seen[:, 3] > 0).astype(int)
        assert episode.proposed.discrete[:, 0].tolist() == meant.tolist()
        differ += int((episode.action.discrete[:, 0] != meant).sum())
    assert differ


def by_hand(place, keys, *words, code=0):
    """Record a person whose keys come from a pipe."""
    done = subprocess.run(
        [*PYTHON, *map(str, cart("--with", "human", "--terminal", *words))],
        cwd=place,
        env=surroundings(),
        input=keys,
        capture_output=True,
        timeout=100,
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode()


@pytest.mark.skipif(os.name == "nt", reason="keys come through a pipe of POSIX")
def test_a_person_plays_in_the_terminal(place):
    right, left = b"\x1b[C", b"\x1b[D"
    told = by_hand(place, b" " + right * 30 + b"\r " + left * 3 + b"\x1b")
    (first, second) = load_demos(place / "demos")
    assert first.tags == ("success",)
    assert first.end is End.TERMINATED
    assert set(first.action.discrete[:, 0]) == {1}
    assert set(first.acted_by) == {ActedBy.HUMAN}
    assert second.action.discrete[:, 0].tolist() == [0, 0, 0]
    assert second.end is End.OPEN
    assert "left or pad left or 0    branch 0 = 0" in told
    assert f"episode 1: {len(first)} steps, return {len(first)}, terminated, a success" in told


@pytest.mark.skipif(os.name == "nt", reason="keys come through a pipe of POSIX")
def test_a_person_brings_keys_of_their_own_and_stops_at_the_first_success(place):
    (place / "keys.yaml").write_text(
        "keys: {x: branch 0 = 1}\ncommands: {space: pause, m: success}\n"
    )
    by_hand(place, b" " + b"x" * 30 + b"m xxx", "--keys", "keys.yaml", "--until", "success")
    (only,) = load_demos(place / "demos")
    assert only.tags == ("success",)
