"""How many threads a network is worth."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

SMALL = 1_000_000
"""Parameters below which one thread is used.

What a second thread made of the time of one update (batch 128; `benchmarks/speed/threads.py`):

| parameters | both cores free | two other processes |
|---|---|---|
| 18,000 (two layers of 128) | 1.1 times as fast | 20 times as slow |
| 69,000 (two layers of 256) | 1.3 | 17 |
| 270,000 | 1.5 | 3 |
| 1,060,000 | 1.5 | 4 |

A thread that waits for another spins, so on a machine with other work (a second run, a browser) it
costs many times what it brings where there is nobody; and an update of a million parameters is the
first to take as long as 10 ms, which somebody waits for.
"""


def fitting_threads(num_parameters: int) -> AbstractContextManager[Any]:
    """Inside, linear algebra uses one thread if the network is small, else as many as before.

    This also makes sums independent of how many cores a machine has.
    """
    if num_parameters >= SMALL:
        return nullcontext()
    return _libraries("torch" in sys.modules).limit(limits=1)


@cache
def _libraries(with_torch: bool) -> Any:
    """The linear algebra that is loaded: looked for once, and once more when torch brings its own.

    Finding it takes as long as two updates of a small network.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
