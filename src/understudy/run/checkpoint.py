"""Checkpoints: what a run remembers, in folders that are whole, verified and need no pickle.

A state is a tree of dicts, lists and tuples of numpy arrays, numbers, text and None. Arrays go to
`state.safetensors`, all else to `state.json`; what comes back is the same to the last bit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from understudy.errors import CheckpointError
from understudy.run import files
from understudy.run.state import pack, unpack

_NAME = re.compile(r"step-([0-9]{12})")
_LARGEST_STEP = 10**12 - 1


@runtime_checkable
class StateDict(Protocol):
    """Anything with a memory that a resumed run must have again."""

    def state_dict(self) -> dict[str, Any]:
        """All that it remembers, as a tree that `save` takes; it is not changed later."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember this instead."""
        ...


class Loaded(NamedTuple):
    """A checkpoint that was read.

    Attributes:
        step: The step at which it was saved.
        state: What was saved; its arrays are its own and may be written to.
        notes: A line on each newer checkpoint that is damaged; empty if all is well.
    """

    step: int
    state: dict[str, Any]
    notes: tuple[str, ...] = ()


def save(
    folder: Path,
    step: int,
    state: Mapping[str, Any],
    keep: int = 3,
    *,
    allow_nan: Collection[str] = (),
) -> Path:
    """Save a checkpoint, read it back, and only then remove all but the newest `keep`.

    Checkpoints of later steps are removed too: the run went on from an earlier one, and they are
    of a future that did not happen.

    Args:
        folder: Where the run's checkpoints are; made if it is absent.
        step: The step that was reached, from 0.
        state: What to remember. A checkpoint of the same step is replaced.
        keep: How many to keep, at least 1.
        allow_nan: Dotted keys of arrays, or of groups of them, that may hold nan or infinity.

    Returns:
        The checkpoint's folder.

    Raises:
        CheckpointError: The state cannot be saved, or could not be written; the checkpoints
            before it are still there.
    """
    if keep < 1 or not 0 <= step <= _LARGEST_STEP:
        raise CheckpointError(f"{folder}: cannot save step {step}, keeping {keep}")
    contents = pack(state, step, allow_nan)
    files.make_folders(folder)
    files.sweep(folder)
    path = folder / f"step-{step:012d}"
    files.commit_folder(path, contents)
    # What a failing disk returns is not always what it was given.
    if files.read_folder(path) != contents:
        raise CheckpointError(f"{path}: damaged: it does not read back as it was written")
    known = steps(folder)
    place = known.index(step)
    for other in [*known[: max(0, place - keep + 1)], *known[place + 1 :]]:
        files.discard_folder(folder / f"step-{other:012d}")
    return path


def steps(folder: Path) -> list[int]:
    """The steps of which there are checkpoints, in order; they need not be whole.

    Raises:
        CheckpointError: The folder cannot be read.
    """
    names = {name.removesuffix(files.OLD) for name in files.names(folder)}
    return sorted(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def load(folder: Path) -> Loaded:
    """The newest checkpoint that is whole; a damaged one is passed over and noted.

    Raises:
        CheckpointError: There is none; says what was found instead.
        NewerError: The newest one was written by a later version of understudy.
    """
    notes: list[str] = []
    for step in reversed(steps(folder)):
        try:
            return load_step(folder, step)._replace(notes=tuple(notes))
        except files.NewerError:
            raise
        except CheckpointError as error:
            notes.append(f"{error}; the checkpoint before it is used")
    if not notes:
        raise CheckpointError(f"{folder}: no checkpoint here")
    raise CheckpointError(f"{folder}: no checkpoint can be read: {_plain(notes)}")


def load_step(folder: Path, step: int) -> Loaded:
    """The checkpoint of this step.

    Raises:
        CheckpointError: It is not there, or it is damaged; names the file and what differs.
        NewerError: A later version of understudy wrote it.
    """
    known = steps(folder)
    if step not in known:
        there = ", ".join(map(str, known)) or "none"
        raise CheckpointError(f"{folder}: no checkpoint of step {step}; there are: {there}")
    path = folder / f"step-{step:012d}"
    found, state = unpack(files.read_folder(path), path)
    if found != step:
        raise CheckpointError(f"{path}: holds step {found}; the folder was renamed")
    return Loaded(step, state)


def rng_state(rng: np.random.Generator) -> dict[str, Any]:
    """Where a generator stands, for a checkpoint.

    Children that it will `spawn` are not part of it: make them before training starts.
    """
    return dict(rng.bit_generator.state)


def set_rng_state(rng: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Let a generator go on from where the other stood.

    Raises:
        CheckpointError: The state is that of another kind of generator, or of none.
    """
    try:
        rng.bit_generator.state = dict(state)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        kind = type(rng.bit_generator).__name__
        raise CheckpointError(f"this is not the state of a {kind} generator: {error}") from None


def _plain(notes: list[str]) -> str:
    return "; ".join(note.partition("; the checkpoint before")[0] for note in notes)
