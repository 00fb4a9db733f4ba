"""What is seen as the observations that sensors of ML-Agents send."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.data.formats.mlagents import encode
from understudy.data.formats.mlagents.columns import NONE, TRANSLATIONAL, VARIABLE
from understudy.data.formats.mlagents.table import MASK
from understudy.data.spec import Obs, Spec, present
from understudy.errors import DemoError

Sensor = Callable[[Tree, int], bytes]
"""The observation at a row of an episode, as bytes of its message."""
_COLORS = 3
DROPPED = -1


def sensors_of(spec: Spec) -> dict[str, Sensor]:
    """A sensor for everything that is seen but the mask of actions, in the order of the spec."""
    makers = {"vector": _vector, "entities": _entities, "image": _image}
    return {
        name: makers[obs.kind](name, obs) for name, obs in spec.obs.items() if obs.kind != "mask"
    }


def changes(spec: Spec) -> set[str]:
    """What sensors send in another way than it is stored, in words."""
    lost: set[str] = set()
    for name, obs in spec.obs.items():
        if obs.kind == "mask":
            if name != MASK:
                lost.add(f"the name of '{name}', which is read as '{MASK}'")
            continue
        if obs.dtype not in ("float32", "uint8" if obs.kind == "image" else "float32"):
            lost.add(f"dtype {obs.dtype} of '{name}': sensors send float32")
        if obs.kind == "vector" and len(obs.shape) != 1:
            lost.add(f"shape {list(obs.shape)} of '{name}': sensors send {[obs.size]}")
        if obs.channels_first:
            lost.add(f"that channels of '{name}' come first")
    return lost


def _vector(name: str, obs: Obs) -> Sensor:
    def see(seen: Tree, row: int) -> bytes:
        values = _floats(seen[name][row], name).reshape(-1)
        return encode.observation(values.shape, values, properties=[NONE], goal=obs.goal, name=name)

    return see


def _entities(name: str, obs: Obs) -> Sensor:
    def see(seen: Tree, row: int) -> bytes:
        values = _floats(seen[name][row], name)
        there = seen[present(name)][row]
        count = int(there.sum())
        # The reader, and ML-Agents' attention, know absent ones by their zeros.
        if not there[:count].all() or (count and not values[count - 1].any()):
            raise DemoError(
                f"entities '{name}': gaps between them, or a last one of zeros alone, have no "
                "place in ML-Agents' format; put those that are there first"
            )
        values = np.where(there[:, None], values, np.float32(0))
        properties = [VARIABLE, NONE]
        return encode.observation(
            values.shape, values, properties=properties, goal=obs.goal, name=name
        )

    return see


def _image(name: str, obs: Obs) -> Sensor:
    properties = [NONE, TRANSLATIONAL, TRANSLATIONAL]

    def see(seen: Tree, row: int) -> bytes:
        pixels = seen[name][row]
        if not obs.channels_first:
            pixels = np.moveaxis(pixels, -1, 0)
        if pixels.dtype != np.uint8:
            values = _floats(pixels, name)
            return encode.observation(
                values.shape, values, properties=properties, goal=obs.goal, name=name
            )
        pngs, mapping = _pngs(pixels)
        return encode.observation(
            pixels.shape, pngs, mapping=mapping, properties=properties, goal=obs.goal, name=name
        )

    return see


def _pngs(pixels: NDArray[np.uint8]) -> tuple[bytes, list[int]]:
    """Pixels `[C, H, W]` as RGB pictures one after the other, and where their channels belong.

    A single channel is sent as grey colors, whose mean it is again; three need no mapping.
    """
    channels, height, width = pixels.shape
    if channels == 1:
        return _png(np.broadcast_to(pixels, (_COLORS, height, width))), [0] * _COLORS
    num_pngs = math.ceil(channels / _COLORS)
    padded = np.zeros((num_pngs * _COLORS, height, width), np.uint8)
    padded[:channels] = pixels
    pngs = b"".join(_png(part) for part in np.split(padded, num_pngs))
    if channels == _COLORS:
        return pngs, []
    return pngs, [c if c < channels else DROPPED for c in range(len(padded))]


def _png(colors: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.moveaxis(colors, 0, -1))).save(out, "PNG")
    return out.getvalue()


def _floats(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        out = values.astype(np.float32)
    if not np.isfinite(out).all():
        raise DemoError(f"observation '{name}': a number that 32 bits do not hold")
    return out
