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


def module_of(x: Array) -> ModuleType:
    """The module whose functions take this array: `numpy`, or `torch` (loaded if x is a tensor)."""
    return np if isinstance(x, np.ndarray | np.generic) else sys.modules["torch"]
