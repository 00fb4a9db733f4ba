"""The command, which also says on standard output when a recorded step was acknowledged.

    python acknowledging.py record CartPole-v1 -o FILE

One byte for every step, written after the recorder returned: that step must never be lost.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from understudy.cli import main
from understudy.data.formats.recorder import EpisodeWriter

write_step = EpisodeWriter.step


def step(self: EpisodeWriter, *args: Any, **more: Any) -> None:
    write_step(self, *args, **more)
    os.write(1, b".")


if __name__ == "__main__":
    EpisodeWriter.step = step  # pyright: ignore[reportAttributeAccessIssue]
    sys.exit(main())
