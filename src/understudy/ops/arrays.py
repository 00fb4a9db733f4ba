"""The few words that numpy arrays and torch tensors share.

An equation in this room uses only what both answer alike: arithmetic, slices, `clip`, `sum`, and
from the module `exp`, `log`, `where`, `minimum`, `maximum`, `amax`, `empty_like`, `concatenate`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A numpy array, or a torch tensor of the same shape."""


_NUMPY = (np.ndarray, np.generic)


def module_of(x: Array) -> ModuleType:
    """The module whose functions take this array: `numpy`, or `torch` (loaded if x is a tensor)."""
    return np if isinstance(x, _NUMPY) else sys.modules["torch"]


def columns(x: Array) -> Array:
    """`[..., k]` -> `[k, n]`: every column by itself.

    Numpy takes a call's worth of time for every row of a short last axis. Turned around, a
    softmax over a few choices is three times as fast.
    """
    turned = x.reshape(-1, x.shape[-1]).T
    return np.ascontiguousarray(turned) if module_of(x) is np else turned


def highest(x: Array) -> Array:
    """`[k, ...]` -> `[...]` the largest along the first axis."""
    return x.max(0) if module_of(x) is np else x.amax(0)
