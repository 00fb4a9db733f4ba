"""How many threads a network is worth."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

SMALL = 1_000_000
"""Parameters below which a second thread costs more than it brings."""


def fitting_threads(num_parameters: int) -> AbstractContextManager[Any]:
    """Inside, linear algebra uses one thread if the network is small, else as many as before.

    This also makes sums independent of how many cores a machine has.
    """
    if num_parameters >= SMALL:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
