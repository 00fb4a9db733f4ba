from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutants import content
from understudy.data.action import Action
from understudy.data.demos import Demos, Provenance
from understudy.data.episode import ActedBy, End, Episode
from understudy.data.formats import container
from understudy.data.formats.native import DemoWriter, read_demos, recognizes, write_demos
from understudy.data.spec import ActionSpec, Kind, Obs, Spec
from understudy.errors import DemoError

OURS = Provenance(format="understudy", env_id="Reach-v0", versions={"sim": "3.1"}, actor="a script")
FLOATS = ("float16", "float32", "float64")
INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SMALL = Spec(obs={"place": Obs(kind="vector", shape=(3,))}, action=ActionSpec(branches=(4,)))


def make_episode(spec: Spec, steps: int, rng: np.random.Generator, **said: Any) -> Episode:
    """Random values in everything that the spec has."""
    obs = {name: numbers(rng, (steps + 1, *f.shape), f.dtype) for name, f in spec.fields.items()}
    fields: dict[str, Any] = {
        "obs": obs,
        "action": make_action(spec, steps, rng),
        "reward": rng.normal(size=steps),
        "end": End.TERMINATED,
        "acted_by": rng.integers(0, 5, steps).astype(np.uint8),
    }
    return Episode(**{**fields, **said})


def make_action(spec: Spec, steps: int, rng: np.random.Generator) -> Action:
    a = spec.action
    branches = np.array(a.branches, np.int64)
    discrete = rng.integers(0, np.maximum(branches, 1), (steps, len(branches)))
    return Action(numbers(rng, (steps, a.continuous), np.dtype(a.dtype)), discrete.astype(np.int64))


def numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def record(writer: DemoWriter, episode: Episode, **begin: Any) -> None:
    """The same episode, step by step."""
    rows = range(len(episode))
    first = {name: array[0] for name, array in episode.obs.items()}
    who = {"agent": episode.agent, "group": episode.group, "team": episode.team}
    open_ = writer.begin(
        first, seed=episode.seed, label=episode.label, info=episode.info, **who, **begin
    )
    for t in rows:
        open_.step(
            episode.action.at(t),
            None if episode.reward is None else float(episode.reward[t]),
            {name: array[t + 1] for name, array in episode.obs.items()},
            proposed=None if episode.proposed is None else episode.proposed.at(t),
            acted_by=ActedBy(int(episode.acted_by[t])),
        )
    open_.end(episode.end)


def read_back(path: Path) -> Demos:
    """What lies in the file, read whole, with the file let go."""
    demos = read_demos(path)
    episodes = list(demos)
    demos.episodes.close()  # type: ignore[attr-defined]
    return Demos(demos.spec, episodes, demos.provenance)


def spec_of(
    kind: Kind, dtype: str, continuous: int, branches: tuple[int, ...], action: str = "float32"
) -> Spec:
    shape = {
        "vector": (2, 3),
        "image": (5, 4, 3),
        "entities": (4, 2),
        "mask": (sum(branches),),
    }[kind]
    obs = {"seen": Obs(kind=kind, shape=shape, dtype=dtype), "clock": Obs(kind="vector", shape=())}
    return Spec(obs=obs, action=ActionSpec(continuous=continuous, branches=branches, dtype=action))


SPECS = [
    *(spec_of("vector", dtype, 2, (3,)) for dtype in (*FLOATS, *INTS, "bool")),
    *(spec_of("image", dtype, 0, (3, 2)) for dtype in ("uint8", "uint16", "float32")),
    spec_of("entities", "float32", 2, ()),
    spec_of("mask", "bool", 1, (3, 300)),
    spec_of("vector", "float32", 3, (), "float64"),
    spec_of("vector", "float32", 3, (70_000, 2), "float16"),
    spec_of("vector", "float32", 0, ()),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.describe().replace("; ", ", "))
def test_every_kind_of_data_is_read_as_it_was_written(spec: Spec, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    episodes = [
        make_episode(spec, 7, rng, seed=2**80, agent=1, group=2, team=3, label="näme \0 #1"),
        make_episode(spec, 1, rng, reward=None, end=End.TRUNCATED, final_obs_known=False),
        make_episode(spec, 9, rng, proposed=make_action(spec, 9, rng), end=End.UNKNOWN),
        make_episode(
            spec, 3, rng, reward=np.array([1, -0.0, 0.1], np.float32), info={"a": [1, None, 0.5]}
        ),
        make_episode(spec, 0, rng, reward=np.zeros(0, np.int64), end=End.OPEN),
    ]
    demos = Demos(spec, episodes, OURS)
    write_demos(tmp_path / "whole", demos)
    assert content(read_back(tmp_path / "whole")) == content(demos)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.describe().replace("; ", ", "))
def test_recording_step_by_step_gives_the_same(spec: Spec, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    episodes = [
        make_episode(spec, 7, rng, seed=2**80, agent=1, group=2, team=3, label="näme #1"),
        make_episode(spec, 1, rng, reward=None, end=End.TRUNCATED),
        make_episode(spec, 9, rng, proposed=make_action(spec, 9, rng), info={"a": [1, None]}),
    ]
    with DemoWriter(tmp_path / "steps", spec, OURS) as writer:
        for episode in episodes:
            record(writer, episode)
    assert content(read_back(tmp_path / "steps")) == content(Demos(spec, episodes))
    assert os.listdir(tmp_path) == ["steps"]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    spec=st.sampled_from(SPECS),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    rows=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_chunks_of_any_size_hold_the_same(
    spec: Spec, lengths: list[int], rows: int, seed: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    episodes = [make_episode(spec, n, rng) for n in lengths]
    episodes += [make_episode(spec, n, rng, proposed=make_action(spec, n, rng)) for n in lengths]
    path = tmp_path / "steps"
    path.unlink(missing_ok=True)
    with DemoWriter(path, spec, OURS) as writer:
        writer.layout.rows = rows
        for episode in episodes:
            record(writer, episode)
    assert content(read_back(path)) == content(Demos(spec, episodes))


def test_provenance_is_kept(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", Demos(SMALL, [], OURS))
    said = read_back(tmp_path / "a").provenance
    assert (said.format, said.env_id, said.actor) == ("understudy", "Reach-v0", "a script")
    assert said.versions == {"sim": "3.1"}
    assert said.files == (str(tmp_path / "a"),)
    assert said.notes == ()
    stored = read_demos(tmp_path / "a").episodes
    assert stored.sessions[0]["created"].endswith("+00:00")  # type: ignore[attr-defined]


def test_converted_demonstrations_say_from_what(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", Demos(SMALL, [], Provenance(format="mlagents", files=("b.demo",))))
    assert read_back(tmp_path / "a").provenance.notes == ("converted from mlagents: b.demo",)


def test_several_episodes_are_recorded_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    episodes = [make_episode(SMALL, n, rng, agent=n) for n in (5, 3, 8)]
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        writer.layout.rows = 4
        slots = [writer.begin({"place": e.obs["place"][0]}, agent=e.agent) for e in episodes]
        for t in range(8):
            for slot, e in zip(slots, episodes, strict=True):
                if t < len(e):
                    slot.step(
                        e.action.at(t),
                        float(e.reward[t]),  # type: ignore[index]
                        {"place": e.obs["place"][t + 1]},
                        acted_by=ActedBy(int(e.acted_by[t])),
                    )
                    if t + 1 == len(e):
                        slot.end(e.end)
    assert content(read_back(tmp_path / "a")) == content(Demos(SMALL, episodes))


def test_proposed_in_some_steps_is_as_executed_in_the_others(tmp_path: Path) -> None:
    one, two = (Action(np.zeros(0, np.float32), np.array([n])) for n in (1, 2))
    obs = {"place": np.zeros(3, np.float32)}
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        writer.layout.rows = 2
        episode = writer.begin(obs)
        for proposed in (None, None, None, two, None):
            episode.step(one, 0.0, obs, proposed=proposed)
        episode.end(End.TERMINATED)
    (read,) = read_back(tmp_path / "a")
    assert read.proposed is not None
    assert read.proposed.discrete.tolist() == [[1], [1], [1], [2], [1]]


def test_a_discarded_episode_is_gone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kept = [make_episode(SMALL, 3, rng), make_episode(SMALL, 4, rng)]
    obs = {"place": np.zeros(3, np.float32)}
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        writer.layout.rows = 4
        record(writer, kept[0])
        unwanted = writer.begin(obs)
        for _ in range(10):
            unwanted.step(make_action(SMALL, 1, rng).at(0), 0.0, obs)
        unwanted.discard()
        record(writer, kept[1])
        with pytest.raises(DemoError, match="is over"):
            unwanted.discard()
    assert content(read_back(tmp_path / "a")) == content(Demos(SMALL, kept))


def test_appending_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    episodes = [make_episode(SMALL, n, rng) for n in (3, 5, 2)]
    write_demos(tmp_path / "a", Demos(SMALL, episodes[:1], OURS))
    for episode in episodes[1:]:
        with DemoWriter(tmp_path / "a", SMALL, OURS, append=True) as writer:
            record(writer, episode)
    demos = read_back(tmp_path / "a")
    assert content(demos) == content(Demos(SMALL, episodes))
    assert demos.provenance.notes == ()
    other = Provenance(format="understudy", env_id="Push-v0", actor="a person")
    DemoWriter(tmp_path / "a", SMALL, other, append=True).close()
    assert read_back(tmp_path / "a").provenance.actor == "a script, a person"
    assert read_back(tmp_path / "a").provenance.env_id is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"obs": {"place": Obs(kind="vector", shape=(4,))}}, "place' is vector"),
        ({"obs": {"place": Obs(kind="vector", shape=(3,), dtype="float64")}}, "float64 there"),
        ({"action": ActionSpec(branches=(5,))}, r"branches \[4\] here"),
    ],
)
def test_appending_what_does_not_fit_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_demos(tmp_path / "a", Demos(SMALL, [], OURS))
    before = (tmp_path / "a").read_bytes()
    other = Spec(**{"obs": SMALL.obs, "action": SMALL.action, **change})
    with pytest.raises(DemoError, match=message):
        DemoWriter(tmp_path / "a", other, OURS, append=True)
    assert (tmp_path / "a").read_bytes() == before


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("precious")
    with pytest.raises(DemoError, match=f"{path}: exists already"):
        DemoWriter(path, SMALL, OURS)
    with pytest.raises(DemoError, match=f"{path}: exists already"):
        write_demos(path, Demos(SMALL, []))
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["a"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    bad = make_episode(SMALL, 3, np.random.default_rng(0))
    bad.obs["place"][2, 1] = np.nan
    with pytest.raises(DemoError, match="'place' is nan at step 2"):
        write_demos(tmp_path / "a", Demos(SMALL, [bad]))
    assert os.listdir(tmp_path) == []
    with pytest.raises(DemoError, match="No such file or directory"):
        write_demos(tmp_path / "nowhere" / "a", Demos(SMALL, []))


@pytest.mark.parametrize(
    ("place", "choice", "reward", "message"),
    [
        (np.zeros(3), 0, 0.0, "place is float64"),
        (np.zeros(4, np.float32), 0, 0.0, r"expected float32 \[3\]"),
        (np.full(3, np.inf, np.float32), 0, 0.0, "not finite: inf"),
        (np.zeros(3, np.float32), 4, 0.0, "4 of branch 0, the branch has 4"),
        (np.zeros(3, np.float32), -1, 0.0, "-1 of branch 0"),
        (np.zeros(3, np.float32), 0, float("nan"), "reward is not finite"),
        (np.zeros(3, np.float32), 0, None, "in every step of an episode or in none"),
    ],
)
def test_a_step_that_does_not_fit_is_refused_and_the_episode_goes_on(
    place: Any, choice: int, reward: float | None, message: str, tmp_path: Path
) -> None:
    good = {"place": np.zeros(3, np.float32)}
    right = Action(np.zeros(0, np.float32), np.array([0]))
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        episode = writer.begin(good)
        episode.step(right, 1.0, good)
        with pytest.raises(DemoError, match=f"a: episode 1 step 1.*{message}"):
            episode.step(Action(right.continuous, np.array([choice])), reward, {"place": place})
        episode.step(right, 2.0, good)
        episode.end(End.TERMINATED)
    (read,) = read_back(tmp_path / "a")
    assert read.reward is not None
    assert read.reward.tolist() == [1, 2]


def test_episodes_that_nobody_ended_are_open_after_closing(tmp_path: Path) -> None:
    obs, right = {"place": np.zeros(3, np.float32)}, Action(np.zeros(0, np.float32), np.array([0]))
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        episode = writer.begin(obs)
        episode.step(right, 1.0, obs)
        writer.begin(obs)
    demos = read_back(tmp_path / "a")
    assert [(e.end, len(e)) for e in demos] == [(End.OPEN, 1)]
    assert demos.provenance.notes == ("1 episode; the last was not ended: 1 step",)
    with pytest.raises(DemoError, match="is over"):
        episode.step(right, 1.0, obs)
    with pytest.raises(DemoError, match="closed"):
        writer.begin(obs)


def test_episodes_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    episodes = [make_episode(SMALL, n, rng) for n in range(1, 30)]
    write_demos(tmp_path / "a", Demos(SMALL, episodes))
    stored: Any = read_demos(tmp_path / "a").episodes
    assert not stored._kept
    assert stored[3] is stored[3]
    assert [len(e) for e in stored[-2:]] == [28, 29]
    assert stored.lengths.tolist() == list(range(1, 30))
    assert stored.returns == pytest.approx([e.return_ for e in episodes])
    for place in range(29):
        stored[place]
    assert len(stored._kept) == 8
    with pytest.raises(IndexError):
        stored[29]


def test_going_through_a_file_reads_what_asking_for_each_episode_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        writer.layout.rows = 4  # so that long episodes have several chunks
        for n in (1, 30, 2, 0, 3):
            record(writer, make_episode(SMALL, n, rng))
    stored: Any = read_demos(tmp_path / "a").episodes
    one_by_one = Demos(SMALL, [stored[place] for place in range(5)])
    assert content(Demos(SMALL, list(stored))) == content(one_by_one)


@pytest.mark.parametrize(("group_bytes", "most"), [(1, 256), (200, 256), (1 << 20, 2)])
def test_episodes_that_are_read_together_are_the_same(
    group_bytes: int, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.data.formats.stored.GROUP_BYTES", group_bytes)
    monkeypatch.setattr("understudy.data.formats.stored.MOST_TOGETHER", most)
    rng = np.random.default_rng(0)
    demos = Demos(SMALL, [make_episode(SMALL, n, rng) for n in (3, 1, 9, 2, 2, 7)])
    write_demos(tmp_path / "a", demos)
    assert content(read_demos(tmp_path / "a")) == content(demos)


def test_a_closed_file_is_read_without_write_access(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", Demos(SMALL, [make_episode(SMALL, 3, np.random.default_rng(0))]))
    (tmp_path / "a").chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert len(read_back(tmp_path / "a")) == 1
        assert os.listdir(tmp_path) == ["a"]
    finally:
        tmp_path.chmod(0o755)


def test_a_file_that_is_being_recorded_says_so(tmp_path: Path) -> None:
    with DemoWriter(tmp_path / "a", SMALL, OURS):
        with pytest.raises(DemoError, match="is recording into it; wait until it has ended"):
            read_demos(tmp_path / "a")
        with pytest.raises(DemoError, match="another process is recording into it"):
            DemoWriter(tmp_path / "a", SMALL, OURS, append=True)
    assert len(read_back(tmp_path / "a")) == 0


def test_a_deleted_episode_is_not_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    episodes = [make_episode(SMALL, n, rng) for n in (1, 2, 3)]
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        for episode in episodes:
            record(writer, episode)
        from understudy.data.formats import put

        with writer.change("test") as db:
            row = writer._rows[2]
            row.deleted = 1
            writer.seal_row(row, bytes(32))
            put.update_row(db, row)
            writer._put_file(writer._rows)
    assert content(read_back(tmp_path / "a")) == content(Demos(SMALL, episodes[::2]))


def test_a_newer_file_is_refused_by_both_numbers(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", Demos(SMALL, []))
    with sqlite3.connect(tmp_path / "a") as db:
        db.execute("PRAGMA user_version=7")
    db.close()
    with pytest.raises(DemoError, match="format 7, this understudy reads format 1; update"):
        read_demos(tmp_path / "a")


def test_files_are_recognized_by_content(tmp_path: Path) -> None:
    write_demos(tmp_path / "a", Demos(SMALL, []))
    assert recognizes((tmp_path / "a").read_bytes()[:100])
    assert not recognizes(b"")
    assert not recognizes(container.SQLITE)
    other = sqlite3.connect(tmp_path / "b")
    other.execute("CREATE TABLE a (b)")
    other.close()
    assert not recognizes((tmp_path / "b").read_bytes()[:100])


@pytest.mark.parametrize("name", ["a b", "50%", "what?", "a#b", "ü", "-x", "a;b'\"c"])
def test_any_file_name_will_do(name: str, tmp_path: Path) -> None:
    write_demos(tmp_path / name, Demos(SMALL, []))
    assert len(read_back(tmp_path / name)) == 0
    assert os.listdir(tmp_path) == [name]


def test_what_is_no_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("hello" * 100)
    os.mkfifo(tmp_path / "pipe")
    for name, message in {
        "empty": "it is empty",
        "text": "not a demonstration file",
        "pipe": "not a plain file",
        "nothing": "No such file",
        ".": "not a plain file",
    }.items():
        with pytest.raises(DemoError, match=message) as error:
            read_demos(tmp_path / name)
        assert "\n" not in str(error.value)
        assert str(tmp_path / name) in str(error.value)


def test_info_that_is_no_json_is_refused(tmp_path: Path) -> None:
    obs = {"place": np.zeros(3, np.float32)}
    with DemoWriter(tmp_path / "a", SMALL, OURS) as writer:
        with pytest.raises(DemoError, match="info must be JSON values"):
            writer.begin(obs, info={"a": object()})
        writer.begin(obs, info={"a": np.float32(0.5), "b": np.arange(2)}).end(End.UNKNOWN)
    (episode,) = read_back(tmp_path / "a")
    assert episode.info == {"a": 0.5, "b": [0, 1]}


def test_nothing_but_numpy_and_the_standard_library_is_imported() -> None:
    import subprocess

    code = (
        "import sys, json, understudy.data.formats.native;"
        "print(json.dumps([m for m in ('torch', 'gymnasium', 'PIL') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def interrupting(at: int, committed: bool) -> Any:
    """The end of a transaction, during which a person presses Ctrl-C once."""
    count, whole = 0, container.transaction.__exit__

    def end(self: Any, kind: Any, error: Any, trace: Any) -> None:
        nonlocal count
        count += 1
        if count == at + 1 and not committed:
            whole(self, KeyboardInterrupt, KeyboardInterrupt(), None)
            raise KeyboardInterrupt
        whole(self, kind, error, trace)
        if count == at + 1:
            raise KeyboardInterrupt

    return end


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("at", range(14))
def test_an_interruption_leaves_what_was_written(
    at: int, committed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    obs, act = {"place": np.zeros(3, np.float32)}, Action(np.zeros(0, np.float32), np.array([0]))
    writer = DemoWriter(tmp_path / "a", SMALL, OURS)
    writer.layout.rows = 2
    done = [0, 0, 0]
    episodes: list[Any] = []

    def play() -> None:
        for number, steps in enumerate((5, 3, 4)):
            episodes.append(writer.begin(obs))
            for t in range(steps):
                episodes[-1].step(act, float(t), obs)
                done[number] += 1
            episodes[-1].discard() if steps == 3 else episodes[-1].end(End.TERMINATED)

    monkeypatch.setattr(container.transaction, "__exit__", interrupting(at, committed))
    with pytest.raises(KeyboardInterrupt):
        play()
    # A person pressed Ctrl-C; the program goes on for a step and then closes.
    if episodes and episodes[-1].num_steps and at % 2:
        with contextlib.suppress(DemoError):  # it may be over
            episodes[-1].step(act, 9.0, obs)
    writer.close()
    demos = read_back(tmp_path / "a")
    assert sum(map(len, demos)) >= done[0] + done[2]
    stored: Any = read_demos(tmp_path / "a").episodes
    assert stored.returns.tolist() == [e.return_ for e in demos]
    stored.close()
    assert os.listdir(tmp_path) == ["a"]
    for e in demos:
        assert e.end in (End.OPEN, End.TERMINATED)
        # Rewards count the steps; the one after the interruption earned 9.
        assert e.reward is not None
        rewards = e.reward.tolist()
        assert [r for r in rewards if r != 9.0] == list(range(len(e) - rewards.count(9.0)))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_file_longer_than_two_gibibytes_is_opened_and_read(tmp_path: Path) -> None:
    spec = Spec(obs={"obs": Obs(kind="vector", shape=(1 << 18,))}, action=ActionSpec(continuous=1))
    steps = 99
    one = Episode(
        obs={"obs": np.ones((steps + 1, 1 << 18), np.float32)},
        action=Action(np.zeros((steps, 1), np.float32), np.zeros((steps, 0), np.int64)),
        acted_by=np.zeros(steps, np.uint8),
    )
    write_demos(tmp_path / "a", Demos(spec, [one] * 21))
    assert (tmp_path / "a").stat().st_size > 1 << 31
    demos = read_demos(tmp_path / "a")
    assert demos.lengths.tolist() == [steps] * 21
    np.testing.assert_array_equal(demos.episodes[20].obs["obs"], one.obs["obs"])
    (tmp_path / "a").unlink()
