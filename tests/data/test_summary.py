from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_up import CHOICES, HYBRID, make_demos, make_episode
from understudy.data.action import Action
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats.editing import delete
from understudy.data.formats.native import read_demos, write_demos
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.data.summary import MOST_LISTED, summarize


def test_summary_is_json_whatever_is_known():
    for spec in (CHOICES, HYBRID):
        for reward in (1.0, None):
            for lengths in ((), (0,), (1,), (5, 7)):
                summary = summarize(make_demos(spec, lengths, reward=reward))
                assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_counts_returns_and_lengths():
    summary = summarize(make_demos(lengths=(5, 7, 9), reward=0.5))
    assert (summary["episodes"], summary["steps"]) == (3, 21)
    assert summary["lengths"]["each"] == [5, 7, 9]
    assert summary["lengths"]["mean"] == 7
    assert summary["returns"]["each"] == [2.5, 3.5, 4.5]
    assert summary["returns"]["std"] == pytest.approx(np.std([2.5, 3.5, 4.5]))
    assert sum(summary["returns"]["histogram"]["counts"]) == 3


def test_many_episodes_are_not_listed_one_by_one():
    summary = summarize(make_demos(lengths=(2,) * (MOST_LISTED + 1)))
    assert summary["returns"]["each"] is None
    assert sum(summary["lengths"]["histogram"]["counts"]) == MOST_LISTED + 1


def test_returns_of_some_episodes_only():
    rng = np.random.default_rng(0)
    episodes = [make_episode(CHOICES, 4, rng), make_episode(CHOICES, 4, rng, reward=None)]
    summary = summarize(Demos(CHOICES, episodes))
    assert summary["returns"]["each"] == [4.0, None]
    assert summary["returns"]["mean"] == 4.0


def test_provenance_is_passed_on():
    summary = summarize(
        make_demos(
            format="mlagents",
            files=("a", "b"),
            env_id="X-v0",
            versions={"x": "1"},
            actor="me",
            alignment="next_record",
            reason="so it is",
            notes=("look",),
        )
    )
    assert summary["format"] == "mlagents"
    assert summary["files"] == ["a", "b"]
    assert (summary["alignment"], summary["reason"]) == ("next_record", "so it is")
    assert (summary["env_id"], summary["actor"], summary["notes"]) == ("X-v0", "me", ["look"])


def test_spec_is_told_as_json_and_in_words():
    summary = summarize(make_demos(HYBRID, (3,)))
    assert Spec.from_json(summary["spec"]) == HYBRID
    assert summary["sees"].startswith("body vector 3, camera image")
    assert summary["does"] == "2 continuous and choices 3 x 2"


def test_ends_and_who_acted_are_counted():
    rng = np.random.default_rng(0)
    ends = (End.TERMINATED, End.TERMINATED, End.OPEN)
    episodes = [make_episode(CHOICES, 3, rng, end=end) for end in ends]
    episodes[2].acted_by[:2] = 1
    episodes[2] = replace(episodes[2], final_obs_known=False)
    summary = summarize(Demos(CHOICES, episodes))
    assert summary["ends"] == {"terminated": 2, "open": 1}
    assert summary["acted_by"] == {"script": 7, "human": 2}
    assert summary["unseen_ends"] == 1


def test_choices_are_counted_as_they_were_meant():
    rng = np.random.default_rng(0)
    episode = make_episode(CHOICES, 4, rng)
    episode.action.discrete[:] = 2
    meant = Action(episode.action.continuous, np.array([[0], [0], [1], [2]]))
    summary = summarize(Demos(CHOICES, [replace(episode, proposed=meant)]))
    assert summary["actions"]["branches"] == [{"counts": [2, 1, 1], "shares": [0.5, 0.25, 0.25]}]
    assert summary["corrected_steps"] == 3


def test_continuous_moments_over_episodes_are_those_of_all_steps():
    # An offset that would cancel in sums of squares of single precision.
    spec = Spec(
        obs={"o": Obs(kind="vector", shape=(1,))},
        action=ActionSpec(continuous=1, low=(999.0,), high=(1000.5,)),
    )
    demos = make_demos(spec, (5, 11, 3))
    for episode in demos:
        episode.action.continuous[:] += 1000
    x = np.concatenate([e.action.continuous for e in demos]).astype(np.float64)
    found = summarize(demos)["actions"]["continuous"][0]
    assert found["mean"] == pytest.approx(x.mean(), rel=1e-12)
    assert found["std"] == pytest.approx(x.std(), rel=1e-9)
    assert (found["min"], found["max"]) == (x.min(), x.max())
    assert found["outside"] == pytest.approx((x > 1000.5).mean())


def test_columns_that_never_change_are_found():
    demos = make_demos(HYBRID, (4, 5))
    for episode in demos:
        episode.obs["body"][:, 1] = 3.0
        episode.obs["camera"][:] = 7
        episode.obs["allowed"][:, 0] = False
        episode.obs["others.present"][:] = [True, False, False, True]
    seen = summarize(demos)["observations"]
    assert seen["body"]["constant"] == [1]
    assert seen["body"]["num_constant"] == 1
    assert (seen["camera"]["min"], seen["camera"]["max"], seen["camera"]["frozen"]) == (7, 7, True)
    assert seen["allowed"]["forbids"] == 0.2
    assert seen["others"]["present"] == {"mean": 2.0, "min": 2, "max": 2}


def test_absent_entities_do_not_widen_the_range():
    demos = make_demos(HYBRID, (4,))
    episode = demos.episodes[0]
    episode.obs["others"][:] = 1.0
    episode.obs["others"][:, 0] = 99.0
    episode.obs["others.present"][:] = [False, True, True, True]
    assert summarize(demos)["observations"]["others"]["max"] == 1.0


def test_observation_of_no_width_has_no_range():
    spec = Spec(obs={"nothing": Obs(kind="vector", shape=(0,))}, action=ActionSpec(branches=(2,)))
    seen = summarize(make_demos(spec, (3,)))["observations"]["nothing"]
    assert (seen["min"], seen["max"], seen["num_constant"]) == (None, None, 0)


def test_repeated_episodes_are_found_and_empty_ones_are_not_repeats():
    demos = make_demos(lengths=(5, 7, 0, 0))
    assert summarize(demos)["duplicates"] == []
    assert summarize(demos.pick([0, 1, 0, 1, 1]))["duplicates"] == [[2, 0], [3, 1], [4, 1]]


def test_every_episode_is_read_once():
    class Counted(list):
        reads = 0

        def __getitem__(self, index):
            Counted.reads += 1
            return super().__getitem__(index)

        def __iter__(self):
            return (self[i] for i in range(len(self)))

    demos = make_demos()
    summarize(replace(demos, episodes=Counted(demos.episodes)))
    assert Counted.reads == 3


@pytest.mark.parametrize("spec", [CHOICES, HYBRID])
def test_it_does_not_matter_how_many_episodes_are_looked_at_together(
    spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    demos = make_demos(spec, (5, 1, 8, 3))
    together = summarize(demos)
    monkeypatch.setattr("understudy.data.summary.GROUP_BYTES", 1)
    alone = summarize(demos)
    numbers, others = (of["actions"].pop("continuous") for of in (together, alone))
    assert together == alone
    for mine, theirs in zip(numbers, others, strict=True):
        # Sums in another order differ in their last bits.
        assert mine == pytest.approx(theirs)


def test_repeated_episodes_are_called_by_their_own_numbers(tmp_path: Path) -> None:
    demos = make_demos(lengths=(5, 6, 7))
    write_demos(tmp_path / "a", demos.pick([0, 1, 2, 1]))
    delete(tmp_path / "a", [1])
    assert summarize(read_demos(tmp_path / "a"))["duplicates"] == [[4, 2]]
