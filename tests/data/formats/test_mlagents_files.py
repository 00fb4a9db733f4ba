"""The five real recordings that are kept outside of the repository."""

from __future__ import annotations

import numpy as np
import pytest

import demo_files as w
from understudy.data.episode import End, check_episode
from understudy.data.formats import mlagents
from understudy.data.formats.alignment import inverse_dynamics
from understudy.data.formats.mlagents.file import Recording

FILES = {
    # name: seen, continuous, branches, records, episodes, alignment, ends of all but the last
    "Expert3DBallHard.demo": ([(45,)], 2, (), 276, 1, "same_record", None),
    "ExpertBasic.demo": ([(20,)], 0, (3,), 73, 11, "same_record", End.TERMINATED),
    "ExpertPyramid.demo": (
        [(56,), (56,), (56,), (4,)], 0, (5,), 1751, 10, "next_record", End.TERMINATED,
    ),
    "test_3DBall.demo": ([(8,)], 2, (), 2144, 22, "next_record", End.TRUNCATED),
    "testdcvis_visual.demo": ([(84, 84, 3), (0,)], 0, (3, 3, 3, 2), 38, 1, "same_record", None),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_real_recording_is_what_its_description_says(name: str) -> None:
    seen, continuous, branches, records, episodes, alignment, end = FILES[name]
    demos = mlagents.read(w.real(name))
    assert [obs.shape for obs in demos.spec.obs.values()] == seen
    assert (demos.spec.action.continuous, demos.spec.action.branches) == (continuous, branches)
    assert demos.provenance.alignment == alignment
    assert demos.provenance.notes == ()
    assert len(demos) == episodes
    # Every episode has one record more than steps.
    assert demos.num_steps + len(demos) == records
    assert [e.end for e in demos] == [end] * (episodes - 1) + [End.OPEN]
    for episode in demos:
        check_episode(episode, demos.spec)


@pytest.mark.parametrize("name", FILES)
def test_returns_of_a_real_recording_have_the_mean_that_its_metadata_says(name: str) -> None:
    """The metadata counts what was received before an episode's first observation as well."""
    path = w.real(name)
    with path.open("rb") as file:
        declared = Recording(path, file).metadata
    demos = mlagents.read(path)
    before = np.array([e.info["reward_before"] for e in demos])
    assert declared.num_episodes == len(demos)
    # The recorder adds up in 32 bits.
    assert np.mean(demos.returns + before) == pytest.approx(declared.mean_reward, abs=5e-4)


def test_pictures_of_a_real_recording_stay_bytes() -> None:
    demos = mlagents.read(w.real("testdcvis_visual.demo"))
    picture = demos.spec.obs["obs_0"]
    assert (picture.kind, picture.dtype, picture.channels_first) == ("image", "uint8", False)
    frames = demos.episodes[0].obs["obs_0"]
    assert frames.dtype == np.uint8
    assert 5 < frames.std() < 100


def test_two_observations_explain_the_chosen_action_and_not_the_other() -> None:
    path = w.real("test_3DBall.demo")
    chosen = inverse_dynamics(mlagents.read(path))
    assert chosen.scores[0] >= 0.99
    assert chosen.agrees
    other = inverse_dynamics(mlagents.read(path, alignment="same_record"))
    assert other.scores[0] <= 0.4
    assert other.best == 1
    assert "WRONG PAIRING" in other.describe()


@pytest.mark.parametrize("name", FILES)
def test_the_fit_confirms_the_choice_or_cannot_say(name: str) -> None:
    """ExpertBasic always does the same and testdcvis has 37 steps: they cannot say."""
    fit = inverse_dynamics(mlagents.read(w.real(name)))
    says = name in ("Expert3DBallHard.demo", "ExpertPyramid.demo", "test_3DBall.demo")
    assert fit.agrees is (True if says else None)
    print(f"{name}: {fit.describe()}")
