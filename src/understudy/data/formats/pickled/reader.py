"""Reading what NerveX and DI-engine pickled (`expert_data.pkl`), by steps or by episodes.

The file is never unpickled: `machine` interprets it without importing or calling anything that it
names, in a process of its own with limits on memory and time (`child`), and what comes back from
there are arrays.
"""

from __future__ import annotations

import math
import mmap
import os
import re
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.demos import Demos
from understudy.data.formats.flat import Cut, Flat, read_flat
from understudy.data.formats.pickled import child
from understudy.data.formats.refusal import MOST_EPISODES, refusal, too_many_episodes
from understudy.data.formats.store import Shaped
from understudy.data.formats.wire import WireError
from understudy.data.spec import Spec
from understudy.errors import DemoError

CONVERT = (
    "save it where it was made as an .npz with the arrays obs, actions, rewards and episode_starts"
)
_LIST = re.compile(rb"\x80[\x02-\x05](?:\x95.{8})?\]", re.DOTALL)
_STEP = re.compile(rb"(?:X\x03\0\0\0obs|\x8c\x03obs|X\x08\0\0\0next_obs|\x8c\x08next_obs)")
_FIRST_STEP = 256
_DTYPES = re.compile(r"\|b1|[|<][iu]1|<[iu][248]|<f[248]")


def recognizes(head: bytes) -> bool:
    """Whether a file that starts like this is a pickled list whose first entry sees something."""
    return bool(_LIST.match(head) and _STEP.search(head[:_FIRST_STEP]))


def read(path: str | os.PathLike[str], *, spec: Spec | None = None) -> Demos:
    """The demonstrations in a pickle of NerveX or DI-engine.

    Args:
        path: The file.
        spec: What is seen and done; None to find out from the arrays.

    Raises:
        DemoError: The file is damaged, hostile, holds something else, or does not fit the spec.
    """
    stored = Pickled(path)
    names = stored.paths("obs")
    count = stored.num_rows(next(iter(names.values())))
    notes = ["the file says that an episode ended, not why: by its task, or by a time limit"]
    if stored.ignored:
        notes.append(f"left out: {', '.join(stored.ignored)[:200]}")
    flat = Flat(
        file=stored,
        obs=names,
        next_obs=stored.paths("next_obs"),
        action=stored.paths("action"),
        reward=next(iter(stored.paths("reward").values()), None),
        order=np.arange(count),
        cuts=_cuts(stored, count),
    )
    return read_flat(flat, spec, "di-engine pickle", tuple(notes))


def _cuts(stored: Pickled, count: int) -> NDArray[np.uint8]:
    cuts = np.zeros(count, np.uint8)
    for place in stored.paths("done").values():
        done = stored.array(place)
        if done.size != count:
            raise stored.refusal(place, f"has the shape {list(done.shape)}", "one for each step")
        cuts[done.reshape(-1) != 0] = Cut.UNKNOWN
    if stored.lengths is not None:
        lasts = np.cumsum(stored.lengths) - 1
        cuts[lasts] = np.where(cuts[lasts] == Cut.NOTHING, Cut.OPEN, cuts[lasts])
    return cuts


class Pickled:
    """The columns of a pickle, as its child process told them.

    Attributes:
        path: The file.
        room: How many bytes its contents may take in memory.
        lengths: `[E]` steps of every episode; None where all stand in one list.
        ignored: What is left out of every step.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.room = child.room_for(size)
                out, said = child.ask(file, size)
        except WireError as error:
            expected = f"{error.expected}; {CONVERT}"
            raise refusal(path, error.offset or None, error.found, expected) from None
        with out:
            self._arrays = _mapped(out, said["arrays"], self.room)
        self.ignored = tuple(map(str, said["ignored"]))
        self.lengths: NDArray[np.int64] | None = None
        if said["lengths"] is not None:
            lengths = np.array(said["lengths"], np.int64)
            self.lengths = lengths[lengths > 0]
            if len(self.lengths) > MOST_EPISODES:
                raise too_many_episodes(path, len(self.lengths))

    def paths(self, name: str) -> dict[str, str]:
        """The arrays at and under `name`: the name of each relative to it, and its path."""
        return {
            path[len(name) + 1 :]: path
            for path in self._arrays
            if path == name or path.startswith(f"{name}/")
        }

    def refusal(self, name: str, found: str, expected: str) -> DemoError:
        """An error about the array `name`."""
        return refusal(self.path, None, f"'{name}' {found}", expected)

    def shaped(self, name: str, kinds: str = "biuf") -> Shaped:
        """Shape and dtype of an array.

        Raises:
            DemoError: It is missing or of another kind.
        """
        array = self._arrays.get(name)
        if array is None:
            raise self.refusal(name, "is missing", "it")
        if array.dtype.kind not in kinds:
            raise self.refusal(name, f"holds {array.dtype}", "numbers")
        return Shaped(array.shape, array.dtype)

    def array(
        self, name: str, start: int = 0, stop: int | None = None, *, kinds: str = "biuf"
    ) -> NDArray[Any]:
        """The rows `start` up to `stop` of an array.

        Raises:
            DemoError: As `shaped`.
        """
        self.shaped(name, kinds)
        return np.array(self._arrays[name][start:stop])

    def num_rows(self, name: str) -> int:
        """The length of an array's first axis.

        Raises:
            DemoError: It is missing.
        """
        return self.shaped(name).shape[0]

    def close(self) -> None:
        """Lets go of the columns."""
        self._arrays = {}


def _mapped(out: IO[bytes], said: Any, room: int) -> Mapping[str, NDArray[Any]]:
    """The columns in a child's answer, left on the disk until they are asked for."""
    at, size = out.tell(), out.seek(0, os.SEEK_END)
    assert size - at <= room, "the child holds the same limit"
    data = mmap.mmap(out.fileno(), 0, access=mmap.ACCESS_READ)
    arrays: dict[str, NDArray[Any]] = {}
    for name, code, shape in said:
        assert _DTYPES.fullmatch(code), "the child makes no other dtypes"
        count, dtype = math.prod(shape), np.dtype(code)
        arrays[name] = (
            np.frombuffer(data, dtype, count, at).reshape(shape)
            if count
            else np.zeros(shape, dtype)
        )
        if dtype.kind == "b":
            # A flag of 7 would be neither true nor false.
            arrays[name] = arrays[name].view(np.uint8) != 0
        at += arrays[name].nbytes
    return arrays
