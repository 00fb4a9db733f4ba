"""The four messages of an ML-Agents demonstration file, from their bytes.

Field numbers are those of `mlagents_envs/communicator_objects/*.proto` in release 22 (Apache-2.0);
numbers never change there, only names do: `vector_actions` became `vector_actions_deprecated`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.wire import (
    Part,
    WireError,
    flag,
    floats,
    inside,
    integer,
    integers,
    parts,
    single,
    text,
)

MOST_DIMENSIONS = 4
MOST_NUMBERS = 1 << 26


@dataclass(slots=True)
class Metadata:
    """`DemonstrationMetaProto`: what the file says of itself."""

    api_version: int = 0
    name: str = ""
    num_steps: int = 0
    num_episodes: int = 0
    mean_reward: float = 0.0


@dataclass(slots=True)
class Brain:
    """`BrainParametersProto`: the behavior's name and what it can do.

    Attributes:
        name: Such as `Pyramids?team=0`.
        continuous: How many continuous numbers.
        branches: How many choices every branch has.
    """

    name: str = ""
    continuous: int = 0
    branches: tuple[int, ...] = ()


@dataclass(slots=True)
class Seen:
    """`ObservationProto`: one observation of one record.

    Attributes:
        offset: Where it starts.
        shape: As sent: `(n,)`, `(H, W, C)`, `(C, H, W)` or `(N, D)`.
        compressed: Whether its data should be PNG.
        png: Start and stop of the PNG files, one after the other; None if it is not compressed.
        values: `[n]` the numbers where it is not compressed.
        mapping: Output channel of every decoded channel, -1 drops it; empty where there is none.
        properties: Dimension flags, empty before package 2.0.
        goal: It says what is wanted.
        name: The sensor's name, empty before package 2.0.
    """

    offset: int
    shape: list[int] = field(default_factory=list)
    compressed: bool = False
    png: tuple[int, int] | None = None
    values: NDArray[np.float32] | None = None
    mapping: list[int] = field(default_factory=list)
    properties: list[int] = field(default_factory=list)
    goal: bool = False
    name: str = ""


@dataclass(slots=True)
class Record:
    """`AgentInfoActionPairProto`: what was seen, received on arriving there, and an action.

    Attributes:
        data: The bytes that `png` offsets point into.
        seen: The observations, in the order of their sensors' names.
        reward: Received on arriving here.
        done: The episode ends here.
        interrupted: It ends because of its step limit.
        id: The episode's id, or 0, or in old files the agent's.
        mask: True forbids a choice; empty where the recording has none.
        group: The agent's group, 0 for none.
        group_reward: Received by the group on arriving here.
        vector: The action in the fields of before 2021: continuous, then choices.
        continuous: The continuous part in the fields since.
        discrete: The choices in the fields since.
    """

    data: bytes
    seen: list[Seen] = field(default_factory=list)
    reward: float = 0.0
    done: bool = False
    interrupted: bool = False
    id: int = 0
    mask: list[int] = field(default_factory=list)
    group: int = 0
    group_reward: float = 0.0
    vector: list[float] = field(default_factory=list)
    continuous: list[float] = field(default_factory=list)
    discrete: list[int] = field(default_factory=list)


_Reader = Callable[[bytes, Part], Any]
_Fields = Mapping[int, tuple[str, _Reader]]


def _fill(out: object, data: bytes, start: int, stop: int, once: _Fields, many: _Fields) -> None:
    """Set the attributes of `out` from the message in `data[start:stop]`.

    Fields of `once` replace what is there, as the last one counts; those of `many` add to it.
    All others are stepped over: they belong to older packages, or to none that exists yet.
    """
    for part in parts(data, start, stop):
        if part[0] in once:
            name, read = once[part[0]]
            setattr(out, name, read(data, part))
        elif part[0] in many:
            name, read = many[part[0]]
            getattr(out, name).extend(read(data, part))


def read_metadata(data: bytes) -> Metadata:
    """The metadata in these bytes.

    Raises:
        WireError: They are something else.
    """
    out = Metadata()
    _fill(out, data, 0, len(data), _METADATA, {})
    if out.num_steps < 0:
        raise WireError(0, f"{out.num_steps} steps", "a count")
    return out


_METADATA: _Fields = {
    1: ("api_version", integer),
    2: ("name", text),
    3: ("num_steps", integer),
    4: ("num_episodes", integer),
    5: ("mean_reward", single),
}


@dataclass(slots=True)
class _Actions:
    """`ActionSpecProto`, and the fields of before 2021 that it replaced."""

    name: str = ""
    continuous: int = 0
    num_branches: int = 0
    branches: list[int] = field(default_factory=list)
    old_sizes: list[int] = field(default_factory=list)
    old_space: int = 0


def read_brain(data: bytes) -> Brain:
    """The brain parameters in these bytes.

    Raises:
        WireError: They are something else, or allow no action.
    """
    out = _Actions()
    for part in parts(data, 0, len(data)):
        if part[0] == 9:
            _fill(out, data, *inside(data, part), _ACTION_SPEC, {3: ("branches", integers)})
    _fill(out, data, 0, len(data), _BRAIN, {3: ("old_sizes", integers)})
    if out.num_branches != len(out.branches):
        raise WireError(
            0, f"{out.num_branches} branches of sizes {out.branches[:8]}", "a size for each"
        )
    if not out.continuous and not out.branches:
        if out.old_space not in (0, 1) or (out.old_space == 1 and len(out.old_sizes) != 1):
            raise WireError(
                0,
                f"action space {out.old_space} with sizes {out.old_sizes[:8]}",
                "0 (choices) with a size for each branch or 1 (continuous) with one size",
            )
        if out.old_space == 1:
            out.continuous = out.old_sizes[0]
        else:
            out.branches = out.old_sizes
    brain = Brain(out.name, out.continuous, tuple(out.branches))
    _check_sizes(brain)
    return brain


_ACTION_SPEC: _Fields = {1: ("continuous", integer), 2: ("num_branches", integer)}
_BRAIN: _Fields = {6: ("old_space", integer), 7: ("name", text)}


def _check_sizes(brain: Brain) -> None:
    if not brain.continuous and not brain.branches:
        raise WireError(0, "no action at all", "continuous numbers or branches of choices")
    if not 0 <= brain.continuous <= 1 << 16 or len(brain.branches) > 1 << 12:
        raise WireError(
            0, f"{brain.continuous} continuous actions and {len(brain.branches)} branches", "fewer"
        )
    for size in brain.branches:
        if not 1 <= size <= 1 << 16:
            raise WireError(0, f"a branch of {size} choices", "1 to 65536")


def read_record(data: bytes) -> Record:
    """The record in these bytes.

    Raises:
        WireError: They are something else.
    """
    out = Record(data)
    for part in parts(data, 0, len(data)):
        if part[0] == 1:
            _fill(out, data, *inside(data, part), _AGENT_INFO, _AGENT_LISTS)
        elif part[0] == 2:
            _fill(out, data, *inside(data, part), {}, _ACTION_LISTS)
    return out


def _read_observation(data: bytes, part: Part) -> list[Seen]:
    start, stop = inside(data, part)
    out = Seen(start)
    _fill(out, data, start, stop, _OBSERVATION, _OBSERVATION_LISTS)
    _check_shape(out)
    return [out]


def _read_floats(data: bytes, part: Part) -> NDArray[np.float32]:
    runs = [floats(data, p) for p in parts(data, *inside(data, part)) if p[0] == 1]
    return runs[0] if len(runs) == 1 else np.concatenate([np.zeros(0, np.float32), *runs])


def _read_numbers(data: bytes, part: Part) -> list[float]:
    return floats(data, part).tolist()


_AGENT_INFO: _Fields = {
    7: ("reward", single),
    8: ("done", flag),
    9: ("interrupted", flag),
    10: ("id", integer),
    14: ("group", integer),
    15: ("group_reward", single),
}
_AGENT_LISTS: _Fields = {11: ("mask", integers), 13: ("seen", _read_observation)}
_ACTION_LISTS: _Fields = {
    1: ("vector", _read_numbers),
    6: ("continuous", _read_numbers),
    7: ("discrete", integers),
}
_OBSERVATION: _Fields = {
    2: ("compressed", flag),
    3: ("png", inside),
    4: ("values", _read_floats),
    7: ("goal", flag),
    8: ("name", text),
}
_OBSERVATION_LISTS: _Fields = {
    1: ("shape", integers),
    5: ("mapping", integers),
    6: ("properties", integers),
}


def _check_shape(seen: Seen) -> None:
    if not 1 <= len(seen.shape) <= MOST_DIMENSIONS:
        raise WireError(
            seen.offset,
            f"an observation of {len(seen.shape)} dimensions",
            f"1 to {MOST_DIMENSIONS}",
        )
    count = math.prod(seen.shape)
    if min(seen.shape) < 0 or max(*seen.shape, count) > MOST_NUMBERS:
        raise WireError(
            seen.offset,
            f"an observation of shape {seen.shape}",
            f"at most {MOST_NUMBERS} numbers",
        )
    if seen.png is None and seen.values is None:
        seen.values = np.zeros(0, np.float32)
    if seen.compressed != (seen.png is not None):
        raise WireError(
            seen.offset,
            f"compression {'PNG' if seen.compressed else 'none'} with "
            f"{'floats' if seen.png is None else 'compressed data'}",
            "that they agree",
        )
    if seen.values is not None and seen.values.size != count:
        raise WireError(
            seen.offset,
            f"{seen.values.size} numbers for an observation of shape {seen.shape}",
            f"{count}",
        )
