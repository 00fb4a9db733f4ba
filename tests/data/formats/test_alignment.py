from __future__ import annotations

import numpy as np
import pytest

from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import Episode
from understudy.data.formats.alignment import inverse_dynamics
from understudy.data.spec import ActionSpec, Obs, Spec


def _world(kind: str, late: int, episodes: int = 8, steps: int = 60) -> Demos:
    """A point that is pushed about; the recording says every push `late` steps too late."""
    rng = np.random.default_rng(0)
    spec = Spec(
        obs={"obs": Obs(kind="vector", shape=(4,), dtype="float64")},
        action=ActionSpec(continuous=2) if kind == "numbers" else ActionSpec(branches=(3, 2)),
    )
    out = []
    for _ in range(episodes):
        push = rng.normal(size=(steps, 2))
        choice = np.stack([rng.integers(0, 3, steps), rng.integers(0, 2, steps)], axis=1)
        change = push if kind == "numbers" else choice - 0.5
        place = np.concatenate([np.zeros((1, 2)), np.cumsum(change, axis=0)])
        noise = rng.normal(size=(steps + 1, 2))
        none = np.zeros((steps, 0))
        action = (
            Action(push.astype(np.float32), none.astype(np.int64))
            if kind == "numbers"
            else Action(none.astype(np.float32), choice)
        )
        action = action.at((np.arange(steps) + late) % steps)
        obs = {"obs": np.concatenate([place, noise], axis=1)}
        out.append(Episode(obs=obs, action=action, acted_by=np.zeros(steps, np.uint8)))
    return Demos(spec, out)


@pytest.mark.parametrize("kind", ["numbers", "choices"])
@pytest.mark.parametrize("late", [0, 1, -1])
def test_the_pairing_that_explains_what_happened_is_found(kind: str, late: int) -> None:
    fit = inverse_dynamics(_world(kind, late))
    assert fit.best == -late
    assert fit.agrees is (late == 0)
    assert fit.scores[-late] > 0.9
    assert ("WRONG" in fit.describe()) is (late != 0)


def test_an_effect_that_lingers_does_not_hide_the_action_that_began_it() -> None:
    """Each push also moves the point one step later: the action before is seen as well."""
    demos = _world("numbers", 0)
    for episode in demos:
        push = episode.action.continuous
        later = np.concatenate([np.zeros((1, 2)), np.cumsum(push, axis=0)])
        episode.obs["obs"][:, 2:] = np.concatenate([np.zeros((1, 2)), later[:-1]])
    fit = inverse_dynamics(demos)
    assert fit.scores[-1] > 0.9
    assert fit.best == 0


def test_too_few_steps_or_nothing_but_one_action_cannot_say() -> None:
    assert inverse_dynamics(_world("numbers", 0, episodes=1, steps=20)).agrees is None
    demos = _world("numbers", 0)
    for episode in demos:
        episode.action.continuous[:] = 1
    fit = inverse_dynamics(demos)
    assert fit.agrees is None
    assert "cannot say" in fit.describe()


def test_pictures_and_entities_are_looked_at_too() -> None:
    demos = _world("numbers", 0)
    spec = Spec(
        obs={
            "camera": Obs(kind="image", shape=(16, 16, 3), dtype="uint8"),
            "things": Obs(kind="entities", shape=(3, 2)),
        },
        action=demos.spec.action,
    )
    episodes = []
    for episode in demos:
        place = episode.obs["obs"][:, :2]
        camera = np.zeros((len(place), 16, 16, 3), np.uint8)
        camera[:, :8] = (128 + 4 * place[:, :1, None, None]).clip(0, 255)
        things = np.zeros((len(place), 3, 2), np.float32)
        things[:, 0] = place
        obs = {"camera": camera, "things": things, "things.present": np.ones((len(place), 3), bool)}
        episodes.append(
            Episode(obs=obs, action=episode.action, acted_by=np.zeros(len(episode), np.uint8))
        )
    assert inverse_dynamics(Demos(spec, episodes)).agrees is True


def test_the_same_seed_gives_the_same_scores() -> None:
    demos = _world("numbers", 0)
    assert inverse_dynamics(demos, seed=3) == inverse_dynamics(demos, seed=3)


def test_many_numbers_are_mixed_to_fewer() -> None:
    demos = _world("numbers", 0)
    spec = Spec(
        obs={"obs": Obs(kind="vector", shape=(900,), dtype="float64")}, action=demos.spec.action
    )
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(4, 900))
    episodes = [
        Episode(
            obs={"obs": e.obs["obs"] @ spread}, action=e.action, acted_by=np.zeros(len(e), np.uint8)
        )
        for e in demos
    ]
    assert inverse_dynamics(Demos(spec, episodes)).agrees is True


def test_long_recordings_are_cut_and_numbers_without_bounds_have_no_score() -> None:
    fit = inverse_dynamics(_world("numbers", 0, episodes=4, steps=6000))
    assert fit.agrees is True
    demos = _world("numbers", 0)
    for episode in demos:
        episode.obs["obs"][:] *= 1e300
    assert inverse_dynamics(demos).agrees is None
