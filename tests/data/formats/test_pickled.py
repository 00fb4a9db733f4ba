"""Pickles of NerveX and DI-engine: read without unpickling, written, and attacked."""

from __future__ import annotations

import io
import os
import pickle
import random
import resource
import struct
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import mutants as m
from understudy.data.action import Action
from understudy.data.arrays import from_arrays
from understudy.data.demos import Demos
from understudy.data.episode import End
from understudy.data.formats.door import load_demos
from understudy.data.formats.pickled import reader, writer
from understudy.data.formats.pickled.arrays import finish, makers
from understudy.data.formats.pickled.machine import Machine
from understudy.data.formats.pickled.transitions import columns_of
from understudy.data.formats.wire import WireError
from understudy.data.spaces import spec_of
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.errors import DemoError

PEERS = Path(__file__).parent / "peers"
STEPS = 12


def steps(
    make: Callable[[Any], Any] = torch.as_tensor, kind: Callable[..., Any] = dict
) -> list[dict[str, Any]]:
    """Two episodes of 7 and 5 steps, as DI-engine collects them."""
    obs = np.random.default_rng(0).normal(size=(STEPS + 1, 3)).astype(np.float32)
    return [
        kind(
            obs=make(obs[t]),
            next_obs=make(obs[t + 1] if t != 6 else obs[0] * 2),
            action=make(np.array(t % 3)),
            reward=make(np.array([t / 2], np.float32)),
            done=t in (6, 11),
        )
        for t in range(STEPS)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "expert_data.pkl"


def put(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def _same(demos: Demos) -> None:
    first, second = demos
    obs = np.random.default_rng(0).normal(size=(STEPS + 1, 3)).astype(np.float32)
    np.testing.assert_array_equal(first.obs["obs"], np.concatenate([obs[:7], obs[:1] * 2]))
    np.testing.assert_array_equal(second.obs["obs"], obs[7:])
    assert first.action.discrete[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert second.reward is not None
    assert second.reward.tolist() == [3.5, 4, 4.5, 5, 5.5]
    assert second.reward.dtype == np.float32
    assert [e.end for e in demos] == [End.UNKNOWN] * 2
    assert first.final_obs_known


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("make", [torch.as_tensor, np.array], ids=["torch", "numpy"])
def test_steps_are_cut_into_episodes_where_they_are_done(path: Path, make, protocol: int) -> None:
    demos = load_demos(put(path, steps(make), protocol))
    _same(demos)
    assert demos.provenance.format == "di-engine pickle"
    assert "not why" in " ".join(demos.provenance.notes)


@pytest.mark.parametrize(
    ("name", "lengths"),
    [("expert_data", [8, 9, 9, 9, 9, 10, 6]), ("episodes", [8, 9, 9])],
)
def test_files_of_di_engine_are_what_it_unpickles(name: str, lengths: list[int]) -> None:
    """What `collect_demo_data` and `collect_episodic_demo_data` of DI-engine 0.5.3 left."""
    file = PEERS / f"di_engine_{name}.pkl"
    rows = pickle.loads(file.read_bytes())
    rows = rows if name == "expert_data" else [row for episode in rows for row in episode]
    demos = load_demos(file)
    assert demos.lengths.tolist() == lengths
    assert demos.returns.tolist() == lengths
    obs = np.concatenate([e.obs["obs"][:-1] for e in demos])
    np.testing.assert_array_equal(obs, np.stack([row["obs"].numpy() for row in rows]))
    then = np.concatenate([e.obs["obs"][1:] for e in demos])
    np.testing.assert_array_equal(then, np.stack([row["next_obs"].numpy() for row in rows]))
    actions = np.concatenate([e.action.discrete[:, 0] for e in demos])
    assert actions.tolist() == [row["action"].item() for row in rows]
    stops = np.cumsum(lengths) - 1
    ends = [End.UNKNOWN if rows[stop]["done"] else End.OPEN for stop in stops]
    assert [e.end for e in demos] == ends


@pytest.mark.parametrize("protocol", [2, 4])
def test_lists_of_episodes_are_read_as_such(path: Path, protocol: int) -> None:
    rows = steps()
    _same(load_demos(put(path, [rows[:7], rows[7:]], protocol)))
    for row in rows:
        row["done"] = False
    demos = load_demos(put(path, [rows[:7], [], rows[7:]], protocol))
    assert demos.lengths.tolist() == [7, 5]
    assert [e.end for e in demos] == [End.OPEN] * 2


def test_dictionaries_of_other_classes_are_read_by_their_entries(path: Path, monkeypatch) -> None:
    # As `easydict.EasyDict` is: its attributes are its entries once more.
    easy = type("EasyDict", (dict,), {"__module__": "easydict"})
    module = types.ModuleType("easydict")
    module.EasyDict = easy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "easydict", module)

    def made(**entries: Any) -> Any:
        out = easy(entries)
        out.__dict__.update(entries)
        return out

    _same(load_demos(put(path, steps(kind=made))))
    _same(load_demos(put(path, steps(kind=OrderedDict))))


def test_numbers_views_and_other_entries_are_read(path: Path) -> None:
    whole = torch.arange(40.0).reshape(5, 8)
    rows = [
        {
            "obs": whole.T[t, 1:4:2],  # a view with strides: columns 1 and 3
            "action": np.array([t, -t], ">f8"),
            "reward": float(t),
            "done": np.bool_(t == 2),
            "logit": torch.zeros(9),
            "collect_iter": 3,
        }
        for t in range(3)
    ]
    (episode,) = load_demos(put(path, rows))
    assert episode.obs["obs"].tolist() == [[8, 24], [9, 25], [10, 26], [10, 26]]
    assert episode.action.continuous.tolist() == [[0, 0], [1, -1], [2, -2]]
    assert episode.action.continuous.dtype == np.float64
    assert (episode.return_, episode.end, episode.final_obs_known) == (3, End.UNKNOWN, False)
    assert "left out: collect_iter, logit" in load_demos(path).provenance.notes


def test_a_given_spec_decides(path: Path) -> None:
    spec = spec_of(spaces.Box(-9, 9, (3,)), spaces.Discrete(7))
    demos = load_demos(put(path, steps()), spec=spec)
    assert demos.spec == spec
    with pytest.raises(DemoError, match=r"rows of shape \[3\]"):
        load_demos(path, spec=spec_of(spaces.Box(-9, 9, (4,)), spaces.Discrete(7)))


def test_files_that_contradict_themselves_are_refused(path: Path) -> None:
    cases: list[tuple[Callable[[list[Any]], Any], str]] = [
        (lambda r: r[3].pop("obs"), "a step without obs; expected it as at the first step"),
        (lambda r: r[3].update(obs=torch.zeros(4)), r"obs is float32 \[4\] at step 3"),
        (lambda r: r[3].update(obs=torch.zeros(3, dtype=torch.int64)), "is int64"),
        (lambda r: r[0].pop("action"), "a step without action"),
        (lambda r: r[0].update(action="left"), "a str as action"),
        (lambda r: r[3].update(obs=torch.full((3,), torch.nan)), "is nan at step 0"),
        (lambda r: [x.update(reward=torch.zeros(3)) for x in r], "'reward' has the shape"),
        (lambda r: [x.update(done=torch.zeros(3)) for x in r], "'done' has the shape"),
        (lambda r: r.append([1]), "a step without obs"),
        (lambda r: r[0].update(obs={str(i): 1 for i in range(2000)}), "more than 8 levels"),
        (lambda r: r[0].update(obs=r[0]), "more than 8 levels"),
        (lambda r: r[0].update(obs=torch.zeros(3, dtype=torch.complex64)), "ComplexFloat"),
    ]
    for change, found in cases:
        rows = steps()
        change(rows)
        with pytest.raises(DemoError, match=found) as caught:
            reader.read(put(path, rows))
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)


SPECS = {
    "vector": Spec(obs={"obs": Obs(kind="vector", shape=(3,))}, action=ActionSpec(branches=(4,))),
    "image": Spec(
        obs={"obs": Obs(kind="image", shape=(8, 9, 3), dtype="uint8")},
        action=ActionSpec(continuous=2),
    ),
    "dict": Spec(
        obs={
            "arm/place": Obs(kind="vector", shape=(2, 2), dtype="float64"),
            "arm/speed": Obs(kind="vector", shape=()),
            "eye": Obs(kind="image", shape=(4, 4, 1), dtype="uint8"),
        },
        action=ActionSpec(continuous=1, dtype="float64"),
    ),
    "multi-discrete": Spec(
        obs={"obs": Obs(kind="vector", shape=(1,), dtype="int64")},
        action=ActionSpec(branches=(2, 3, 5)),
    ),
    "hybrid": Spec(
        obs={"obs": Obs(kind="vector", shape=(3,))},
        action=ActionSpec(continuous=2, branches=(3,)),
    ),
    "entities": Spec(
        obs={"balls": Obs(kind="entities", shape=(3, 2))}, action=ActionSpec(branches=(2, 2))
    ),
}


def made_up(spec: Spec) -> Demos:
    """Three episodes of a spec, one of a single step and one left open."""
    rng, obs, actions = np.random.default_rng(1), [], []
    for length in (5, 1, 4):
        obs.append(
            {
                name: rng.integers(0, 2, (length + 1, *field.shape)).astype(field.dtype)
                if field.dtype.kind != "f"
                else rng.normal(size=(length + 1, *field.shape)).astype(field.dtype)
                for name, field in spec.fields.items()
            }
        )
        done = spec.action
        actions.append(
            Action(
                rng.normal(size=(length, done.continuous)).astype(done.dtype),
                np.stack([rng.integers(0, n, length) for n in done.branches], 1)
                if done.branches
                else np.zeros((length, 0), np.int64),
            )
        )
    rewards = [rng.normal(size=len(a.continuous)) for a in actions]
    ends = [End.UNKNOWN, End.UNKNOWN, End.OPEN]
    return from_arrays(obs, actions, rewards, ends, spec=spec)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("write", [writer.write, writer.write_episodes])
def test_what_is_written_is_read_again(path: Path, name: str, write) -> None:
    demos = made_up(SPECS[name])
    assert all("give spec=" in what for what in write(path, demos))
    assert m.content(load_demos(path, spec=SPECS[name])) == m.content(demos)


def test_what_is_written_is_what_torch_unpickles(path: Path) -> None:
    demos = made_up(SPECS["hybrid"])
    writer.write(path, demos)
    rows = pickle.loads(path.read_bytes())
    assert len(rows) == demos.num_steps
    first = demos.episodes[0]
    assert list(rows[1]) == ["obs", "next_obs", "action", "reward", "done"]
    torch.testing.assert_close(rows[1]["obs"], torch.from_numpy(first.obs["obs"][1]))
    torch.testing.assert_close(rows[1]["next_obs"], torch.from_numpy(first.obs["obs"][2]))
    assert rows[1]["action"]["action_type"].item() == first.action.discrete[1, 0]
    assert rows[1]["action"]["action_args"].tolist() == first.action.continuous[1].tolist()
    assert rows[1]["reward"].shape == (1,)
    assert [row["done"] for row in rows] == [*[False] * 4, True, True, *[False] * 4]
    # What torch itself makes of it is read as the same, its storages one for each tensor.
    again = path.with_name("again.pkl")
    put(again, [{**row, "obs": row["obs"].clone()} for row in rows])
    spec = SPECS["hybrid"]
    assert m.content(load_demos(again, spec=spec)) == m.content(load_demos(path, spec=spec))

    path.unlink()
    writer.write_episodes(path, demos)
    assert [len(rows) for rows in pickle.loads(path.read_bytes())] == [5, 1, 4]


def test_what_the_layout_has_no_place_for_is_listed(path: Path) -> None:
    demos = from_arrays(
        [np.zeros((3, 2))], [np.zeros((3, 1))], ends="terminated",
        spec=Spec(
            obs={"obs": Obs(kind="vector", shape=(2,), dtype="float64")},
            action=ActionSpec(continuous=1, low=(-1,), high=(1,)),
        ),
    )  # fmt: skip
    assert writer.write(path, demos) == (
        "bounds of the actions",
        "that last observations are missing (the one before stands there again)",
        "why episodes ended",
    )
    with pytest.raises(DemoError, match="exists already"):
        writer.write(path, demos)
    odd = from_arrays([np.zeros((3, 2), np.uint32)], [np.zeros((2, 1))])
    with pytest.raises(DemoError, match="torch has no tensors of it"):
        writer.write(path.with_name("odd.pkl"), odd)
    assert list(path.parent.iterdir()) == [path]


class _Runs:
    """Runs a function when it is unpickled."""

    def __init__(self, function: Any, *given: Any) -> None:
        self.said = function, given

    def __reduce__(self) -> Any:
        return self.said


def _hostile(proof: Path) -> dict[str, bytes]:
    """Pickles that begin like expert data."""
    start = b"\x80\x04](}X\x03\0\0\0obs"

    def with_obs(value: Any, protocol: int = 4) -> bytes:
        return pickle.dumps([{"obs": value, "action": 1}], protocol)

    command = f"touch {proof}"
    evil = pickle.dumps(_Runs(os.system, command), 2)
    long = struct.pack("<I", 0xFFFFFFFF)
    laugh: Any = {}
    for _ in range(40):
        laugh = dict.fromkeys(map(str, range(10)), laugh)
    view = torch.zeros(1).expand(1 << 20, 1 << 15)
    one = {"obs": np.zeros(1 << 18, np.float32), "action": 1}
    empty = {"obs": {str(i): np.zeros(0) for i in range(1000)}, "action": 1}
    row = [{"obs": 1, "action": 1}] * 3000
    return {
        "os.system": with_obs(_Runs(os.system, command)),
        "protocol 0": b"\x80\x02](X\x03\0\0\0obsios\nsystem\n(S'touch'\ntR.",
        "eval": with_obs(_Runs(eval, f"__import__('os').system({command!r})"), 2),
        "getattr": with_obs(_Runs(getattr, "obs", "upper")),
        "numpy load": with_obs(_Runs(np.load, "/etc/passwd")),
        "torch load": with_obs(_Runs(torch.load, "/etc/passwd")),
        "code in a storage": with_obs(_Runs(torch.storage._load_from_bytes, evil)),
        "import of this": start + b"\x8c\x04this\x8c\x01s\x93us.",
        "an extension": start + b"\x82\x01us.",
        "an instance": start + b"(S'x'\nios\nsystem\n.",
        "a persistent id": start + b"K\x01Q.",
        "a state for numbers": start + b"K\x01}bus.",
        "a class called": start + b"cnumpy\nndarray\n(K\x05tRus.",
        "an object array": with_obs(np.array([_Runs(os.system, command)], object)),
        "a structure": with_obs(np.zeros(2, "i4,i4")),
        "deep lists": start + b"]" * 300_000 + b"a" * 300_000 + b"us.",
        "deep tuples": start + b")" + b"\x85" * 300_000 + b"us.",
        "deep marks": start + b"(" * 900_000,
        "many values": start + b"N" * 3_000_000,
        "a long text": start + b"X" + long,
        "eight bytes of length": start + b"\x8e" + b"\xff" * 8,
        "a frame": b"\x80\x04\x95" + b"\xff" * 7 + b"\x00" + start[2:],
        "a memo bomb": start + b"K\x01r" + long + b"us.",
        "a number of 4 GiB": start + b"\x8b" + struct.pack("<i", 2**31 - 1),
        "laughs": with_obs(laugh),
        "a list in itself": b"\x80\x04]q\x00(}X\x03\0\0\0obsK\x01sh\x00h\x00e.",
        "a view of 32 TiB": with_obs(view),
        "a step a thousand times": pickle.dumps([one] * 10_000),
        "nothing a million times": pickle.dumps([empty] * 300_000),
        "episodes of episodes": pickle.dumps([row] * 300_000),
        "huge shape": with_obs(0).replace(b"K\0", b"cnumpy\nndarray\n(" + b"J\xff\xff\xff\x7f" * 8),
        "two pickles": pickle.dumps(steps()) + pickle.dumps(1),
        "no end": pickle.dumps(steps())[:-1],
    }


def test_hostile_pickles_are_refused_within_a_second_and_run_nothing(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    for name, data in _hostile(proof).items():
        path = tmp_path / "expert_data.pkl"
        path.write_bytes(data)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with pytest.raises(DemoError) as caught:
            load_demos(path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{name}: {taken:.2f} s, {len(data)} bytes: {caught.value}")
        assert "\n" not in str(caught.value), name
        assert "expected" in str(caught.value), name
        assert len(str(caught.value)) < 1000, name
        assert taken < 1, name
        assert not proof.exists(), name


def test_pickles_that_are_none_of_these_are_refused_with_advice(path: Path) -> None:
    for value in ({"obs": 1}, [1, 2], [_Runs(os.system, "false")], torch.zeros(3)):
        with pytest.raises(DemoError, match=r"never opened.*save it where it was made as an .npz"):
            load_demos(put(path, value))
    with pytest.raises(DemoError, match=r"a list in the list.*save it where it was made"):
        load_demos(put(path, [[[{"obs": 1, "action": 1}]]]))
    old = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, old, _use_new_zipfile_serialization=False)
    path.write_bytes(old.getvalue())
    with pytest.raises(DemoError, match="never opened"):
        load_demos(path)


def read_machine(path: Path) -> str:
    """A digest of what the child would tell, without a child for each of a thousand files."""
    data = path.read_bytes()
    try:
        machine = Machine(data, makers(), finish)
        columns = columns_of(machine.run(), len(data))
        total = {"/".join(p): [b.tobytes() for b in columns.blocks(p)] for p in columns.like}
    except WireError as error:
        raise DemoError(str(error)) from None
    return str(hash(str(total)))


def read_door(path: Path) -> str:
    return m.content(load_demos(path))


def _files() -> list[bytes]:
    rows, out = steps()[5:8], []
    for value, protocol in ((rows, 2), (steps(np.array), 4), ([rows[:2], rows[2:]], 5)):
        out.append(pickle.dumps(value, protocol))
    return out


def _damaged(count: int) -> None:
    for index, data in enumerate(_files()):
        outcomes = m.survive(read_machine, m.mutants(data, count, random.Random(index)), seconds=5)
        kinds = [outcome.kind for outcome in outcomes]
        for outcome in outcomes:
            assert outcome.kind in ("read", "refused"), outcome
            assert outcome.peak < m.GIB // 4, outcome
            assert outcome.seconds < 1, outcome
            assert "\n" not in outcome.text, outcome
        assert kinds.count("refused") > 0.2 * count, kinds.count("refused")


def test_a_thousand_damaged_pickles_are_read_or_refused() -> None:
    _damaged(334)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_damaged_pickles_are_read_or_refused() -> None:
    _damaged(3334)


def test_damaged_pickles_come_through_the_door_in_one_line() -> None:
    files = m.mutants(_files()[1], 20, random.Random(9))
    for outcome in m.survive(read_door, files, suffix=".pkl"):
        assert outcome.kind in ("read", "refused"), outcome
        assert "\n" not in outcome.text
