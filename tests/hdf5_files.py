"""Demonstrations of every kind, and HDF5 files as other libraries lay them out, written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from gymnasium import spaces

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode
from understudy.data.spaces import codecs_of, spec_of

SPACES: dict[str, tuple[Any, Any]] = {
    "vector": (spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,))),
    "image": (spaces.Box(0, 255, (16, 20, 3), np.uint8), spaces.Box(-1, 1, (2,), np.float64)),
    "dict": (
        spaces.Dict(
            arm=spaces.Dict(joints=spaces.Box(-2, 2, (4,)), gripper=spaces.Box(0, 1, ())),
            view=spaces.Box(0, 255, (8, 9, 3), np.uint8),
        ),
        spaces.Box(-1, 1, (2,)),
    ),
    "multi-discrete": (spaces.Box(-1, 1, (3,), np.float64), spaces.MultiDiscrete([3, 2, 4])),
    "hybrid": (
        spaces.Box(-1, 1, (3,)),
        spaces.Dict(move=spaces.Box(-1, 1, (2,)), press=spaces.MultiDiscrete([2, 3])),
    ),
    "discrete": (spaces.Box(-1, 1, (3,)), spaces.Discrete(4)),
    "tuple": (
        spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.Discrete(3), spaces.MultiBinary(4)]),
        spaces.Tuple([spaces.Discrete(2, start=5), spaces.Box(-1, 1, (1,))]),
    ),
}  # fmt: skip
ENDS = (End.TERMINATED, End.TRUNCATED, End.TERMINATED)


def demos_of(kind: str, lengths: tuple[int, ...] = (5, 3, 1)) -> Demos:
    """Random episodes of a kind; they end as `ENDS` says."""
    see, do = SPACES[kind]
    see.seed(1)
    do.seed(2)
    spec = spec_of(see, do)
    seen, done = codecs_of(spec)
    rng, episodes = np.random.default_rng(0), list[Episode]()
    for number, (steps, end) in enumerate(zip(lengths, ENDS, strict=False)):
        episodes.append(
            Episode(
                obs=seen.encode_many([see.sample() for _ in range(steps + 1)]),
                action=done.encode_many([do.sample() for _ in range(steps)]),
                reward=rng.normal(size=steps),
                end=end,
                acted_by=np.zeros(steps, np.uint8),
                label=f"{kind}#{number}",
            )
        )
    return Demos(spec, episodes, Provenance(format="memory"))


def leaves(values: list[Any], name: str = "") -> dict[str, np.ndarray]:
    """Nested values of a space as one array for each leaf, by path."""
    first = values[0]
    if not isinstance(first, dict | tuple):
        return {name: np.stack(values)}
    out: dict[str, np.ndarray] = {}
    for key in first if isinstance(first, dict) else range(len(first)):
        inner = f"{name}/{key}" if name else str(key)
        out |= leaves([value[key] for value in values], inner)
    return out


def raw(demos: Demos) -> list[tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """The observations and actions of every episode as the environment gave and took them."""
    seen, done = codecs_of(demos.spec)
    return [
        (leaves(seen.decode_many(e.obs)), leaves(done.decode_many(e.action))) for e in demos
    ]  # fmt: skip


def put(group: Any, name: str, arrays: dict[str, np.ndarray], **how: Any) -> None:
    """Arrays under a name: one array, or a group of them."""
    for leaf, array in arrays.items():
        group.create_dataset(f"{name}/{leaf}" if leaf else name, data=array, **how)


def _whole(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _flat(group: Any, demos: Demos, obs: str, action: str, then: str | None, **how: Any) -> None:
    both = raw(demos)
    put(group, obs, _whole([{k: v[:-1] for k, v in s.items()} for s, _ in both]), **how)
    if then:
        put(group, then, _whole([{k: v[1:] for k, v in s.items()} for s, _ in both]), **how)
    put(group, action, _whole([done for _, done in both]), **how)


def flags(demos: Demos, *ends: End) -> np.ndarray:
    """True at the last step of every episode that ended so."""
    parts = [np.arange(len(e)) == (len(e) - 1 if e.end in ends else -1) for e in demos]
    return np.concatenate(parts)


def rewards(demos: Demos) -> np.ndarray:
    """All rewards."""
    return np.concatenate([np.asarray(e.reward) for e in demos])


def write_d4rl(path: Path, demos: Demos, *, then: bool = False) -> None:
    """As D4RL: https://github.com/Farama-Foundation/D4RL, without its infos."""
    with h5py.File(path, "w") as file:
        following = "next_observations" if then else None
        _flat(file, demos, "observations", "actions", following, compression="gzip")
        file["rewards"] = rewards(demos).astype(np.float32)
        file["terminals"] = flags(demos, End.TERMINATED)
        file["timeouts"] = flags(demos, End.TRUNCATED)


def write_di_engine(path: Path, demos: Demos) -> None:
    """As DI-engine's `hdf5_save`."""
    with h5py.File(path, "w") as file:
        _flat(file, demos, "obs", "action", "next_obs", compression="gzip")
        file["reward"] = rewards(demos).astype(np.float32)[:, None]
        file["done"] = flags(demos, End.TERMINATED, End.TRUNCATED)


def write_tianshou(path: Path, demos: Demos) -> None:
    """As `ReplayBuffer.save_hdf5` of a buffer that is not full."""
    with h5py.File(path, "w") as file:
        group = file.create_group("_meta")
        _flat(group, demos, "obs", "act", "obs_next")
        group["rew"] = rewards(demos)
        group["terminated"] = flags(demos, End.TERMINATED)
        group["truncated"] = flags(demos, End.TRUNCATED)
        group["done"] = flags(demos, End.TERMINATED, End.TRUNCATED)
        count = demos.num_steps
        file.attrs["_size"], file.attrs["_insertion_idx"] = count, count
        file["_random_state"] = np.frombuffer(b"\x80\x04N.", np.int8)  # a pickle, as there is one


def write_d3rlpy(path: Path, demos: Demos) -> None:
    """As `d3rlpy.dataset.dump`, version 2.1."""
    with h5py.File(path, "w") as file:
        file["columns"] = ["observations", "actions", "rewards", "terminated"]
        file["num_episodes"] = len(demos)
        for index, (episode, (seen, done)) in enumerate(zip(demos, raw(demos), strict=True)):
            for name, array in seen.items():
                file[f"observations_{index}{name and '_' + name}"] = array[:-1]
            (acts,) = done.values()
            file[f"actions_{index}"] = acts.reshape(len(acts), -1)
            file[f"rewards_{index}"] = np.asarray(episode.reward).astype(np.float32)[:, None]
            file[f"terminated_{index}"] = episode.terminated
        file["version"] = "2.1"


def written(path: Path, demos: Demos, layout: str) -> Path:
    """What to load, after it was written in a layout."""
    from understudy.data.formats import minari, robomimic

    if layout == "minari":
        minari.write(path / "set-v0", demos)
        return path / "set-v0"
    place = path / "file"
    if layout == "robomimic":
        robomimic.write(place, demos)
    else:
        WRITERS[layout](place, demos)
    return place


WRITERS: dict[str, Any] = {
    "d4rl": write_d4rl,
    "di-engine": write_di_engine,
    "tianshou": write_tianshou,
    "d3rlpy": write_d3rlpy,
}
