"""What an environment says of demonstrations: all real environments and recordings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
import pytest

from understudy import record
from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.diagnoses.evidence import gather
from understudy.data.diagnoses.finding import Finding
from understudy.data.diagnoses.table import diagnose
from understudy.data.episode import Episode
from understudy.envs.shown_task import EPISODES, STEPS, shown_task
from understudy.errors import EnvError

WORLDS = "understudy.worlds.tasks:"
SOUND = (
    "CartPole-v1",
    "Acrobot-v1",
    "MountainCar-v0",
    "Pendulum-v1",
    "LunarLander-v3",
    f"{WORLDS}Grid-v0",
    f"{WORLDS}Dials-v0",
)
# What is said of them is so: one landing in twelve crashes, and some swings take twice as long.
UNLIKE = ("LunarLander-v3", "Acrobot-v1", "MountainCar-v0")


class Repeated(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Every action is done several times."""

    def __init__(self, env: gymnasium.Env[Any, Any], times: int) -> None:
        super().__init__(env)
        self.times = times

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        total = 0.0
        for _ in range(self.times):
            obs, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return obs, total, terminated, truncated, info


def said(demos: Demos, env: Any) -> dict[str, Finding]:
    return {f.name: f for f in diagnose(gather(demos, task=shown_task(env, demos)))}


def shown(env: Any, seed: int = 0, episodes: int = 6, actor: str = "random") -> Demos:
    return record(env, actor, episodes=episodes, seed=seed)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("env", SOUND)
def test_nothing_is_said_of_what_a_script_showed(env: str, seed: int) -> None:
    if env.startswith("Lunar"):
        pytest.importorskip("Box2D")
    there = said(shown(env, seed, episodes=8, actor="scripted"), env)
    assert set(there) <= ({"worse_than_rest"} if env in UNLIKE else set())


def test_what_hangs_on_the_past_needs_a_memory() -> None:
    env = f"{WORLDS}HiddenCartPole-v0"
    assert set(said(shown(env, episodes=8, actor="scripted"), env)) == {"memory_needed"}


@pytest.mark.parametrize("times", [2, 3, 4])
def test_repeated_actions_are_counted(times: int) -> None:
    demos = shown(Repeated(gymnasium.make("Pendulum-v1"), times))
    there = said(demos, "Pendulum-v1")
    assert f"every recorded step is {times} steps of Pendulum-v1" in there["frame_skip"].says
    assert "not_reproduced" not in there
    assert "frame_skip" not in said(demos, Repeated(gymnasium.make("Pendulum-v1"), times))


@pytest.mark.parametrize("env", ["Pendulum-v1", "CartPole-v1"])
def test_late_actions_are_found_by_doing_them_again(env: str) -> None:
    def late(e: Episode) -> Episode:
        late = np.maximum(np.arange(len(e)) - 1, 0)
        return replace(e, action=e.action.at(late))

    demos = shown(env)
    there = said(replace(demos, episodes=[late(e) for e in demos]), env)
    assert "late_actions" in there
    assert "late_actions" not in said(demos, env)


def test_other_seeds_are_not_reproduced() -> None:
    demos = shown("Pendulum-v1")
    other = replace(demos, episodes=[replace(e, seed=12345) for e in demos])
    assert "3 of 3 episodes begin elsewhere" in said(other, "Pendulum-v1")["not_reproduced"].says


def test_another_environment_and_other_bounds_are_told() -> None:
    demos = shown("Pendulum-v1")
    assert "4" in said(demos, "CartPole-v1")["other_task"].says
    narrow = gymnasium.wrappers.RescaleAction(
        gymnasium.make("Pendulum-v1"), np.float32(-1), np.float32(1)
    )
    there = said(shown(narrow), "Pendulum-v1")
    assert "from -1 to 1 in the recording, and from -2 to 2" in there["other_bounds"].says


def test_a_reward_of_the_opposite_sign_is_told() -> None:
    demos = shown("Pendulum-v1")
    costs = [replace(e, reward=None if e.reward is None else -e.reward) for e in demos]
    assert (
        "earn the opposite"
        in said(replace(demos, episodes=costs), "Pendulum-v1")["reward_sign"].says
    )


def test_what_the_task_calls_solved_is_compared() -> None:
    assert "solved at 475" in said(shown("CartPole-v1"), "CartPole-v1")["below_threshold"].says


def test_facts_of_the_environment_are_told() -> None:
    demos = shown("CartPole-v1")
    task = shown_task("CartPole-v1", demos)
    assert (task.env_id, task.time_limit, task.reward_threshold) == ("CartPole-v1", 500, 475)
    assert task.spec.difference(demos.spec) is None
    assert task.versions["gymnasium"] == gymnasium.__version__
    assert len(task.again) == EPISODES
    for again, episode in zip(task.again, demos, strict=False):
        assert again.steps == min(STEPS, len(episode)) == again.matched[1] == len(again.received)
        np.testing.assert_array_equal(again.recorded, again.received)


def test_episodes_without_a_seed_are_not_done_again() -> None:
    demos = shown("CartPole-v1")
    bare = replace(demos, episodes=[replace(e, seed=None) for e in demos])
    assert shown_task("CartPole-v1", bare).again == ()


def test_actions_that_the_environment_does_not_take_are_no_error() -> None:
    demos = shown("Pendulum-v1")
    wild = [replace(e, action=Action(1e6 * e.action.continuous, e.action.discrete)) for e in demos]
    assert "outside_bounds" in said(replace(demos, episodes=wild), "Pendulum-v1")


def test_an_environment_that_is_not_there_is_refused() -> None:
    with pytest.raises(EnvError, match="Did you mean"):
        shown_task("CartPol-v1", shown("CartPole-v1", episodes=1))
