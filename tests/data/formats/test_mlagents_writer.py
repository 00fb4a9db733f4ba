"""Writing ML-Agents files: what is written is read again, and is what its recorder would write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import demo_files as w
import mutants as m
from understudy.data.action import Action
from understudy.data.arrays import from_arrays
from understudy.data.demos import Demos
from understudy.data.episode import End, Episode
from understudy.data.formats.door import load_demos
from understudy.data.formats.mlagents import writer
from understudy.data.formats.mlagents.file import Recording
from understudy.data.formats.mlagents.messages import read_metadata
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Reach 2 (best).demo"


def demos_of(spec: Spec, lengths: tuple[int, ...] = (3, 1, 2), seed: int = 0) -> Demos:
    """Episodes of a spec that end in all ways that the format knows."""
    rng, episodes = np.random.default_rng(seed), []
    ends = (End.TERMINATED, End.OPEN, End.TRUNCATED)
    for index, length in enumerate(lengths):
        obs = {
            name: rng.integers(1, 200, (length + 1, *field.shape)).astype(field.dtype)
            for name, field in spec.fields.items()
        }
        for name, seen in spec.obs.items():
            if seen.kind == "entities":
                there = np.arange(seen.shape[0]) < rng.integers(
                    0, seen.shape[0] + 1, (length + 1, 1)
                )
                obs[f"{name}.present"] = there
                obs[name] = np.where(there[..., None], obs[name], 0).astype(seen.dtype)
        action = Action(
            rng.normal(size=(length, spec.action.continuous)).astype(np.float32),
            np.stack(
                [rng.integers(0, n, length) for n in spec.action.branches]
                or [np.zeros((0, length), np.int64)][0:1],
                axis=-1,
            )
            .reshape(length, -1)
            .astype(np.int64),
        )
        episodes.append(
            Episode(
                obs=obs,
                action=action,
                reward=rng.normal(size=length).astype(np.float32),
                end=ends[index % 3],
                acted_by=np.zeros(length, np.uint8),
                group=7,
                team=2,
                info={"behavior": "Goalie?team=2", "id": index + 5, "reward_before": 0.5},
            )
        )
    return Demos(spec, episodes)


SPECS = {
    "vector": Spec(
        obs={
            "place": Obs(kind="vector", shape=(3,)),
            "goal": Obs(kind="vector", shape=(2,), goal=True),
        },
        action=ActionSpec(continuous=2),
    ),
    "grey": Spec(
        obs={"eye": Obs(kind="image", shape=(8, 9, 1), dtype="uint8")},
        action=ActionSpec(branches=(3,)),
    ),
    "color": Spec(
        obs={"eye": Obs(kind="image", shape=(8, 9, 3), dtype="uint8")},
        action=ActionSpec(branches=(3, 2)),
    ),
    "grid of seven": Spec(
        obs={"grid": Obs(kind="image", shape=(5, 4, 7), dtype="uint8")},
        action=ActionSpec(continuous=1, branches=(3, 2)),
    ),
    "floats": Spec(
        obs={"heat": Obs(kind="image", shape=(5, 4, 2))}, action=ActionSpec(branches=(2,))
    ),
    "entities": Spec(
        obs={"balls": Obs(kind="entities", shape=(4, 3)), "me": Obs(kind="vector", shape=(1,))},
        action=ActionSpec(branches=(4,)),
    ),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("alignment", ["next_record", "same_record"])
def test_what_is_written_is_read_again(path: Path, name: str, alignment: str) -> None:
    demos = demos_of(SPECS[name])
    if alignment == "same_record" and name == "grid of seven":
        with pytest.raises(DemoError, match="numbers and choices"):
            writer.write(path, demos, alignment=alignment)
        return
    assert writer.write(path, demos, alignment=alignment) == ()
    again = load_demos(path)
    assert again.provenance.alignment == alignment
    assert again.provenance.notes == ()
    assert m.content(again) == m.content(demos)


def test_masks_are_written_as_what_is_forbidden(path: Path) -> None:
    spec = Spec(
        obs={
            "place": Obs(kind="vector", shape=(1,)),
            "action_mask": Obs(kind="mask", shape=(5,), dtype="bool"),
        },
        action=ActionSpec(branches=(3, 2)),
    )
    demos = demos_of(spec)
    for episode in demos:
        mask = episode.obs["action_mask"]
        mask[:] = True
        mask[0, (episode.action.discrete[0, 0] + 1) % 3] = False
    assert writer.write(path, demos) == ()
    assert m.content(load_demos(path)) == m.content(demos)


def test_records_are_laid_out_as_the_recorder_in_unity_does(path: Path) -> None:
    """An episode of 2 steps: obs 0 1 2, actions 10 11, rewards 1 2; then one of a step, open."""
    spec = Spec(obs={"x": Obs(kind="vector", shape=(1,))}, action=ActionSpec(continuous=1))
    demos = from_arrays(
        [np.array([[0], [1], [2]], np.float32), np.array([[5], [6]], np.float32)],
        [np.array([[10], [11]], np.float32), np.array([[15]], np.float32)],
        [np.array([1, 2], np.float32), np.array([4], np.float32)],
        ["truncated", "open"],
        spec=spec,
    )
    assert writer.write(path, demos) == ()
    with path.open("rb") as file:
        recording = Recording(path, file)
        records = [record for _, record in recording.records()]
    assert recording.trailing_copy
    assert [record.continuous for record in records] == [[0], [10], [11], [0], [15]]
    assert [record.reward for record in records] == [0, 1, 2, 0, 4]
    assert [record.done for record in records] == [False, False, True, False, False]
    assert [record.interrupted for record in records] == [False, False, True, False, False]
    assert [record.id for record in records] == [1, 1, 1, 2, 2]
    meta = recording.metadata
    assert (meta.api_version, meta.name, meta.num_steps) == (1, "Reach 2 best", 5)
    assert (meta.num_episodes, meta.mean_reward) == (2, 3.5)
    assert recording.brain.name == "Understudy?team=0"


def test_the_bytes_are_those_of_another_encoder(path: Path) -> None:
    spec = Spec(obs={"x": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(3,)))
    obs = np.array([[1, -2], [3, 0.5]], np.float32)
    demos = from_arrays([obs], [np.array([[2]])], [np.array([0.25], np.float32)], spec=spec)
    demos = replace(demos, episodes=[replace(e, end=End.TERMINATED) for e in demos])
    writer.write(path, demos)

    def record(row: int, choice: int) -> bytes:
        seen = w.inside(13, w.observation(obs[row], properties=[1], name="x"))
        info = (w.single(7, 0.25) + w.number(8, 1)) if row else b""
        return w.inside(1, info + w.number(10, 1) + seen) + w.inside(2, w.numbers(7, [choice]))

    meta = w.metadata(2, 1, 0.25, "Reach 2 best")
    assert path.read_bytes() == w.demo_file(
        w.inside(7, b"Understudy?team=0") + w.inside(9, w.number(2, 1) + w.numbers(3, [3])),
        [record(0, 0), record(1, 2)],
        meta=meta,
    )


def test_an_open_episode_among_others_is_told_by_its_id(path: Path) -> None:
    demos = demos_of(SPECS["vector"], (2, 2, 2, 2))
    episodes = [replace(e, end=End.OPEN, info={**e.info, "id": 3}) for e in demos]
    writer.write(path, replace(demos, episodes=episodes))
    assert load_demos(path).lengths.tolist() == [2, 2, 2, 2]


def test_what_the_format_has_no_place_for_is_listed(path: Path) -> None:
    spec = Spec(
        obs={
            "a": Obs(kind="vector", shape=(2, 2), dtype="float64"),
            "b": Obs(kind="image", shape=(3, 4, 4), dtype="uint8", channels_first=True),
        },
        action=ActionSpec(continuous=1, low=(-1,), high=(1,), dtype="float64"),
    )
    obs = {"a": np.ones((2, 2, 2)), "b": np.zeros((2, 3, 4, 4), np.uint8)}
    demos = from_arrays([obs], [np.zeros((2, 1))], spec=spec)
    other = replace(demos.episodes[0], agent=1, info={"behavior": "Other"})
    assert writer.write(path, replace(demos, episodes=[*demos.episodes, other])) == (
        "agents and teams",
        "bounds of the actions",
        "dtype float64 of 'a': sensors send float32",
        "dtype float64 of the actions: ML-Agents has float32",
        "names of behaviors: all of a file is one behavior's",
        "shape [2, 2] of 'a': sensors send [4]",
        "that channels of 'b' come first",
        "that last observations are missing",
        "that nobody knows why episodes ended: they end by their task",
        "that there are no rewards",
    )
    again = load_demos(path)
    assert again.spec.obs["b"] == Obs(kind="image", shape=(4, 4, 3), dtype="uint8")
    assert [e.end for e in again] == [End.TERMINATED] * 2


def test_long_counts_leave_less_room_for_the_name(path: Path) -> None:
    writing = writer._Writing(SPECS["vector"], old=False)
    writing.num_records, writing.num_episodes, writing.total = 1 << 30, 1 << 29, 1e30
    with path.open("w+b") as file:
        writing.finish(file, "a long name of a recording")
        file.seek(0)
        data = file.read(33)
    meta = read_metadata(data[1 : 1 + data[0]])
    assert data[0] <= 32
    assert "a long name of a".startswith(meta.name)
    assert (meta.num_steps, meta.num_episodes) == (1 << 30, 1 << 29)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"obs": {"x": np.full((3, 1), 1e300)}}, "observation 'x': a number that 32 bits"),
        ({"reward": np.array([0, 1e300])}, "a reward that 32 bits"),
        ({"action": Action(np.full((2, 1), 1e300), np.zeros((2, 0), np.int64))}, "an action that"),
        ({"group": 1 << 40}, "does not fit 32 bits"),
    ],
)
def test_what_would_be_changed_in_silence_is_refused(path: Path, change, found: str) -> None:
    spec = Spec(
        obs={"x": Obs(kind="vector", shape=(1,), dtype="float64")},
        action=ActionSpec(continuous=1, dtype="float64"),
    )
    demos = from_arrays([np.zeros((3, 1))], [np.zeros((2, 1))], [np.zeros(2)], spec=spec)
    with pytest.raises(DemoError, match=found):
        writer.write(path, replace(demos, episodes=[replace(demos.episodes[0], **change)]))
    assert not list(path.parent.iterdir())


def test_entities_with_gaps_are_refused(path: Path) -> None:
    demos = demos_of(SPECS["entities"])
    demos.episodes[0].obs["balls.present"][:] = [True, False, True, False]
    with pytest.raises(DemoError, match="gaps between them"):
        writer.write(path, demos)


def test_nothing_is_overwritten_and_nothing_half_written(path: Path) -> None:
    demos = demos_of(SPECS["vector"])
    with pytest.raises(DemoError, match="no episode"):
        writer.write(path, replace(demos, episodes=[]))
    with pytest.raises(DemoError, match="next_record, same_record"):
        writer.write(path, demos, alignment="auto")
    assert not list(path.parent.iterdir())
    writer.write(path, demos)
    with pytest.raises(DemoError, match="exists already"):
        writer.write(path, demos)


@pytest.mark.parametrize("alignment", ["next_record", "same_record"])
@pytest.mark.parametrize(
    "name",
    [
        "Expert3DBallHard.demo",
        "ExpertBasic.demo",
        "ExpertPyramid.demo",
        "test_3DBall.demo",
        "testdcvis_visual.demo",
    ],
)
def test_real_recordings_are_the_same_after_a_round_trip(path: Path, name: str, alignment) -> None:
    demos = load_demos(w.real(name))
    assert writer.write(path, demos, alignment=alignment) == ()
    again = load_demos(path)
    assert again.provenance.alignment == alignment
    assert m.content(again) == m.content(demos)
