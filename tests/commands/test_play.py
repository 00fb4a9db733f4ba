"""Watching at the command line: in a window, as a film, in words."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from PIL import Image

import outside
from outside import SMALL, answer, refusal, understudy

WORLDS = '''
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv


class Blind(gymnasium.Env):
    """Counts to five, and cannot be seen."""

    observation_space = gymnasium.spaces.Box(0, 5, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return self.observation_space.low + self.t, {}

    def step(self, action):
        self.t += 1
        return self.observation_space.low + self.t, 1.0, self.t == 5, False, {}


class Closing(CartPoleEnv):
    """Somebody closes its window after the third step."""

    def reset(self, **options):
        self.t = 0
        return super().reset(**options)

    def step(self, action):
        import pygame

        self.t += 1
        if self.t == 3:
            pygame.event.post(pygame.event.Event(pygame.QUIT))
        return super().step(action)


class Broken(CartPoleEnv):
    """Cannot draw what it says it can."""

    def render(self):
        raise RuntimeError("out of paint")


gymnasium.register("Blind-v0", Blind)
gymnasium.register("Closing-v0", Closing)
gymnasium.register("Broken-v0", Broken)
'''


@pytest.fixture(scope="module", autouse=True)
def nobody_looks():
    """No display, whatever machine this is."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def display(monkeypatch):
    """A display that SDL does without."""
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the run `cart`, the run `remembers` with memory, and some worlds."""
    place = tmp_path_factory.mktemp("playing")
    (place / "worlds.py").write_text(WORLDS)
    understudy("record", "CartPole-v1", "--episodes", 2, "-o", "demo", "--quiet", cwd=place)
    words = ("--demos", "demo", "--steps", 50, "--episodes", 0, "--quiet", *SMALL)
    understudy("learn", "CartPole-v1", "--with", "bc", *words, "--run-id", "cart", cwd=place)
    understudy(
        "learn",
        "CartPole-v1",
        "--with",
        "bc",
        *words,
        "net.memory=4",
        "--run-id",
        "remembers",
        cwd=place,
    )
    understudy("learn", *words, "--run-id", "homeless", cwd=place)
    return place


def test_where_there_is_no_display_episodes_are_told_in_words(place):
    told = understudy("play", "cart", "--episodes", 2, cwd=place).stdout.splitlines()
    assert told[0] == "there is no display here; --film FILE.webp makes a film"
    assert told[1] == "playing 2 episodes of CartPole-v1: likeliest actions of cart"
    assert [line.split()[0] for line in told[2:]] == ["episode", "1", "2", "mean"]
    assert told[3].split()[-1] in ("terminated", "truncated")


def test_programs_are_told_the_same_and_a_seed_shows_the_same_again(place):
    words = ("play", "results/cart/policy", "--episodes", 3, "--seed", 4)
    first, again = (answer(*words, cwd=place) for _ in range(2))
    assert first == again
    assert (first["shown"], first["seed"], first["film"]) == ("words", 4, None)
    returns = [episode["return"] for episode in first["episodes"]]
    assert first["mean_return"] == pytest.approx(sum(returns) / 3)
    assert len({episode["seed"] for episode in first["episodes"]}) == 3
    assert all(e["steps"] == e["return"] for e in first["episodes"])
    other = answer(*words, "--sampled", cwd=place)
    assert [e["seed"] for e in other["episodes"]] == [e["seed"] for e in first["episodes"]]
    assert other["sampled"] is True


def test_what_is_played_is_what_is_evaluated(place):
    seen = answer("play", "cart", "--episodes", 3, "--seed", 5, cwd=place)
    # In one slot evaluation plays the very same episodes; three slots have other seeds.
    one = answer("evaluate", "cart", "--episodes", 1, "--seed", 5, cwd=place)
    assert seen["episodes"][0]["return"] == one["deterministic"]["return"]["mean"]


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_a_film_shows_all_of_the_episodes(place, kind):
    words = ("play", "cart", "--episodes", 2, "--film", f"films/cart.{kind}")
    found = answer(*words, cwd=place)
    assert found["film"] == f"films/cart.{kind}"
    with Image.open(place / found["film"]) as film:
        assert film.format == kind.upper()
        frames = sum(episode["steps"] + 1 for episode in found["episodes"])
        shown = getattr(film, "n_frames", 1)
        # Frames that are alike are one, and of long films some are left out.
        assert min(frames, 100) * 0.5 < shown <= frames


def test_a_film_stops_after_as_many_steps_as_were_asked_for(place):
    words = ("play", "--env", "CartPole-v1", "--with", "scripted", "--steps", 7)
    told = understudy(*words, "--film", "short.webp", cwd=place).stdout
    assert "film: short.webp" in told
    assert "not over" in told
    assert answer(*words, "--film", "short.webp", cwd=place)["mean_return"] is None


def test_a_window_is_used_where_there_is_a_display(place, display):
    found = answer("play", "--env", "CartPole-v1", "--with", "random", "--episodes", 1, cwd=place)
    assert found["shown"] == "window"
    assert found["episodes"][0]["end"] == "terminated"


def test_closing_the_window_ends_it(place, display):
    words = ("play", "cart", "--env", "worlds:Closing-v0", "--episodes", 50)
    (episode,) = answer(*words, cwd=place)["episodes"]
    assert (episode["end"], episode["steps"]) == ("open", 3)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
def test_ctrl_c_ends_it_and_says_what_was_seen(place, display):
    words = ("play", "--env", "CartPole-v1", "--with", "random", "--episodes", 999)
    process = outside.begin(*words, cwd=place)
    assert process.stdout is not None
    heard = [process.stdout.readline() for _ in range(3)]
    os.kill(process.pid, signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert heard[2].startswith("1 ")
    # It may come before the next episode's first step, of which there is nothing to say.
    assert rest == "" or "not over" in rest
    assert "Traceback" not in errors


def test_a_policy_with_memory_plays(place):
    assert len(answer("play", "remembers", "--episodes", 2, cwd=place)["episodes"]) == 2


def test_what_has_no_pictures_is_told_in_words(place, display):
    words = ("play", "--env", "worlds:Blind-v0", "--with", "random", "--episodes", 2)
    found = answer(*words, cwd=place)
    assert found["shown"] == "words"
    assert [episode["return"] for episode in found["episodes"]] == [5, 5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("play", "play: what? Give a run, or --env ENV --with scripted"),
        ("play --with random", "say where to play"),
        ("play nobody", "no run 'nobody'"),
        ("play homeless", "was learned without an environment"),
        ("play cart --env Pendulum-v1", "the policy does not fit Pendulum-v1"),
        ("play cart --film cart.mp4", "a film is made as .webp or .gif"),
        ("play --env worlds:Blind-v0 --with random --film x.gif", "has no pictures to film"),
        ("play --env worlds:Blind-v0 --with scripted", "Blind-v0"),
        ("play --env Nowhere-v0 --with random", "Nowhere"),
        ("play cart --episodes 0", "expected 1 or more"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_line(place, words, said):
    assert said in refusal(*words.split(), cwd=place)


def test_an_environment_that_fails_while_it_draws_is_blamed(place):
    words = ("play", "cart", "--env", "worlds:Broken-v0", "--film", "x.gif")
    said = understudy(*words, cwd=place, code=2).stderr
    assert "Broken-v0, slot 0, step 0" in said
    assert "out of paint" in said
    assert not (place / "x.gif").exists()
