"""robomimic's HDF5 files (`data/demo_0/...`), read and written.

The group `data` has a group for every demonstration with `actions` `[T, A]`, `rewards` and `dones`
`[T]`, and the groups `obs` and `next_obs` with arrays `[T, ...]` of the same names. Files that hold
only what a simulator needs to show the observations again have `states` instead. The group `mask`
names subsets (`train`, `valid`), which become the info `subsets` of their episodes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from understudy.data.demos import Demos, Provenance
from understudy.data.episode import End, Episode
from understudy.data.formats.beside import beside
from understudy.data.formats.flat import paths_of
from understudy.data.formats.grouped import Grouped, Part, Said, lengths_of, read_grouped
from understudy.data.formats.hdf5 import Hdf5, writing
from understudy.data.formats.left_out import (
    check_steps,
    left_out_beside_spec,
    left_out_beside_steps,
)
from understudy.data.formats.refusal import label
from understudy.data.spec import Spec
from understudy.errors import DemoError

_NO_ENV = "unknown"  # robomimic must be given a name
_SUBSET = re.compile(r"[\w.-]{1,100}")
_DEMO = re.compile(r"demo_(0|[1-9][0-9]{0,8})")


def recognizes(names: Sequence[str]) -> bool:
    """Whether an HDF5 file with these names at its top is one of robomimic."""
    return "data" in names and set(names) <= {"data", "mask"}


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in an HDF5 file of robomimic.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, or does not fit the spec.
        MissingExtraError: h5py is not installed.
    """
    file = Hdf5(path)
    numbers = sorted(int(name[5:]) for name in file.names("data") if _DEMO.fullmatch(name))
    if not numbers:
        raise file.refusal("data", "holds no demo_0, demo_1 ...", "demonstrations")
    demos = [f"data/demo_{number}" for number in numbers]
    subsets = _subsets(file)
    known = file.holds(f"{demos[0]}/obs")
    seen = paths_of(file, f"{demos[0]}/{'obs' if known else 'states'}")

    def part(index: int) -> Part:
        demo = demos[index]
        then = file.holds(f"{demo}/next_obs")
        if not known:
            seen_here = {"states": f"{demo}/states"}
        else:
            seen_here = {name: f"{demo}/obs/{name}" for name in seen}
        return Part(
            obs=seen_here,
            final_obs={name: f"{demo}/next_obs/{name}" for name in seen} if then else {},
            action={"": f"{demo}/actions"},
            reward=f"{demo}/rewards" if file.holds(f"{demo}/rewards") else None,
            label=label(path, numbers[index]),
        )

    def said(index: int) -> Said:
        inside = [name for name, members in subsets.items() if numbers[index] in members]
        return Said(end=End.UNKNOWN, info={"subsets": inside} if inside else {})

    notes = ["dones say where a demonstration succeeds or stops, not why it ended"]
    if not known:
        notes.append("there are no observations: what is seen are the simulator's states")
    grouped = Grouped(
        file=file,
        lengths=lengths_of(file, (f"{demo}/actions" for demo in demos), len(demos)),
        part=part,
        said=said,
        fetch=file.array,
        shape=file.shaped,
    )
    origin = Provenance(
        format="robomimic", files=(os.fspath(path),), env_id=_env_id(file), notes=tuple(notes)
    )
    return read_grouped(grouped, spec, origin)


def write(path: str | os.PathLike[str], demos: Demos) -> tuple[str, ...]:
    """A new file in robomimic's layout; it appears whole or not at all.

    Args:
        path: The file; it must not exist yet.
        demos: What is written; episodes that lie in other files are read one by one.

    Returns:
        What the layout cannot hold and was left out, in words.

    Raises:
        DemoError: The file exists, the actions are not continuous, or an episode does not fit.
        MissingExtraError: h5py is not installed.
    """
    spec, total = demos.spec, 0
    if spec.action.branches or not spec.action.continuous:
        raise DemoError(
            f"{os.fspath(path)}: {spec.describe()}; robomimic knows continuous actions only: "
            "write it as Minari"
        )
    lost = left_out_beside_spec(demos) - {"the environment's id"}
    subsets: dict[str, list[str]] = {}
    with beside(Path(path)) as place, writing(place) as file:
        data: Any = file.create_group("data")
        for index, episode in enumerate(demos):
            check_steps(episode, spec, f"episode {index}")
            lost |= _put(data.create_group(f"demo_{index}"), episode)
            for name in _subsets_of(episode):
                subsets.setdefault(name, []).append(f"demo_{index}")
            total += len(episode)
        for name, members in subsets.items():
            file[f"mask/{name}"] = np.array(members, "S")
        data.attrs["total"] = total
        env = {"env_name": demos.provenance.env_id or _NO_ENV, "env_type": 2, "env_kwargs": {}}
        data.attrs["env_args"] = np.bytes_(json.dumps(env))  # of a fixed length, to be read again
    return tuple(sorted(lost))


def _put(group: Any, episode: Episode) -> set[str]:
    """Writes a demonstration; returns what it has that the layout has no place for."""
    group.attrs["num_samples"] = len(episode)
    group.create_dataset("actions", data=episode.action.continuous)
    if episode.reward is not None:
        group.create_dataset("rewards", data=episode.reward)
    dones = np.zeros(len(episode), np.int64)
    dones[-1:] = 1
    group.create_dataset("dones", data=dones)
    for name, rows in episode.obs.items():
        pack: dict[str, Any] = {"compression": "gzip"} if rows.dtype == np.uint8 else {}
        group.create_dataset(f"obs/{name}", data=rows[:-1], **pack)
        if episode.final_obs_known:
            group.create_dataset(f"next_obs/{name}", data=rows[1:], **pack)
    lost = {"why episodes ended"} if episode.end is not End.UNKNOWN else set[str]()
    kept = {name: x for name, x in episode.info.items() if name != "subsets"}
    info = kept if _subsets_of(episode) else episode.info
    return lost | left_out_beside_steps(replace(episode, info=info))


def _subsets_of(episode: Episode) -> list[str]:
    """The subsets that an episode is in, as `read` says them; empty if they are anything else."""
    given: Any = episode.info.get("subsets")
    names: list[Any] = given if isinstance(given, list) else []
    good = all(isinstance(name, str) and _SUBSET.fullmatch(name) for name in names)
    return names if good else []


def _subsets(file: Hdf5) -> dict[str, set[int]]:
    if not file.holds("mask"):
        return {}
    out: dict[str, set[int]] = {}
    for name in file.names("mask")[:64]:
        lines = file.texts(f"mask/{name}")
        out[name] = {int(line[5:]) for line in lines if _DEMO.fullmatch(line)}
    return out


def _env_id(file: Hdf5) -> str | None:
    text = file.attribute("data", "env_args")
    try:
        name = json.loads(text)["env_name"] if isinstance(text, str) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name[:200] if isinstance(name, str) and name != _NO_ENV else None
