"""What stands between a person and the rest: it shows, waits, and says what the person did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from understudy.data.episode import Tree
from understudy.human.hands import Event

Picture = NDArray[np.uint8]
_SHOWN_NUMBERS = 8


class Shell(Protocol):
    """A window, a terminal, or a list of events.

    Attributes:
        holds: Whether it knows how long a key is held. Where it does not, time stands still until
            the next key.
    """

    holds: bool

    def events(self, seconds: float | None) -> Sequence[Event]:
        """What happened until so many seconds had passed since the last call.

        Args:
            seconds: None waits until something happens.
        """
        ...

    def show(self, picture: Picture | None, lines: Sequence[str]) -> None:
        """Show a picture `[H, W, 3]`, None where there is none, and some lines of text."""
        ...

    def close(self) -> None:
        """Leave everything as it was before."""
        ...


def seen_lines(obs: Tree) -> list[str]:
    """What is seen in words, where there is no picture of it: the first numbers of everything."""
    return [f"{name}: {_numbers(x)}" for name, x in obs.items()]


def _numbers(x: NDArray[Any]) -> str:
    flat = np.asarray(x).reshape(-1)
    shown = " ".join(f"{float(v):.3g}" for v in flat[:_SHOWN_NUMBERS])
    return shown if len(flat) <= _SHOWN_NUMBERS else f"{shown} … ({len(flat)} numbers)"
