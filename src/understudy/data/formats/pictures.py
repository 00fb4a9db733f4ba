"""Rows of pictures that are packed one by one, as JPEG or PNG."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.formats.bare import Origin
from understudy.data.formats.images import decode_picture
from understudy.data.formats.wire import WireError


class Roomy(Origin, Protocol):
    """Where pictures came from.

    Attributes:
        room: How many bytes they may take in memory.
    """

    room: int


def stack_pictures(file: Roomy, name: str, rows: Iterable[Any]) -> NDArray[np.uint8]:
    """`[N, H, W, C]` the pixels of pictures, all of one size; each row is one's bytes.

    Raises:
        DemoError: There is none, one is damaged, or they do not fit each other or into memory.
    """
    out: list[NDArray[np.uint8]] = []
    total = 0
    for row in rows:
        try:
            picture = decode_picture(bytes(row))
        except WireError as error:
            found = f"row {len(out)} is {error.found}"
            raise file.refusal(name, found, error.expected) from None
        total += picture.nbytes
        if total > file.room or picture.shape != (out or [picture])[0].shape:
            found = f"row {len(out)} is a picture of {list(picture.shape)}"
            raise file.refusal(name, found, "pictures of one size that fit into memory")
        out.append(picture)
    if not out:
        raise file.refusal(name, "has no row", "pictures")
    return np.stack(out)
