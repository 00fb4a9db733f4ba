"""Room for arrays of any size: in memory, or where they are too large for it on a disk."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.errors import DemoError

MEMORY_BYTES = 2**30
"""So much is kept in memory; what takes more lies in a file, of which the machine keeps in memory
what it has room for."""


def room(shapes: Sequence[tuple[tuple[int, ...], Any]]) -> list[NDArray[Any]]:
    """Arrays that belong together, uninitialized.

    Together beyond `MEMORY_BYTES` each lies in a temporary file without a name, which is gone as
    soon as nobody uses the array any more, whatever becomes of the process. Reading rows in random
    order is as fast as from memory while there is memory, and goes on where there is none.

    Args:
        shapes: Shape and dtype of each.

    Raises:
        DemoError: There is no room on the disk either.
    """
    sizes = [math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype in shapes]
    if sum(sizes) <= MEMORY_BYTES:
        return [np.empty(shape, dtype) for shape, dtype in shapes]
    return [
        _mapped(*wanted) if size else np.empty(*wanted)
        for size, wanted in zip(sizes, shapes, strict=True)
    ]


def _mapped(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    try:
        with tempfile.TemporaryFile(prefix="understudy-") as file:
            file.truncate(math.prod(shape) * np.dtype(dtype).itemsize)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except OSError as error:
        raise DemoError(
            f"demonstrations take more than {MEMORY_BYTES >> 20} MiB, and {tempfile.gettempdir()} "
            f"has no room for them: {error.strerror}; set TMPDIR to a folder that has"
        ) from None
