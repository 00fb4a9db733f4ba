"""`metrics.jsonl`: one JSON object a line, each with its `step`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from understudy.errors import CheckpointError
from understudy.run.files import Lines


class MetricsFile:
    """Writes lines of metrics; each is in the file when `note` returns.

    Raises:
        CheckpointError: The file cannot be opened or written.
    """

    def __init__(self, path: Path, resumed_step: int | None = None) -> None:
        """Open the file, or make it.

        Args:
            path: The file.
            resumed_step: The step that a resumed run goes on from: lines of later steps are cut
                off, since they will be written again. None keeps all.
        """
        self._lines = Lines(path)
        if resumed_step is not None:
            self._lines.cut(_length_until(path, resumed_step))

    def note(self, line: Mapping[str, Any]) -> None:
        """Write one line.

        Args:
            line: Names to numbers, text, lists or further mappings; what is not finite is written
                as null. One of the names is `step`.
        """
        self._lines.append(json.dumps(_plain(line), allow_nan=False, separators=(",", ":")))

    def sync(self) -> None:
        """Wait until all is on the disk."""
        self._lines.sync()

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._lines.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file; a torn last line is left out, an absent file is empty.

    Raises:
        CheckpointError: It cannot be read, or a line is not an object; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    found: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            found.append(dict(json.loads(line)))
        except (ValueError, TypeError, RecursionError):
            raise CheckpointError(f"{path}:{number}: damaged: not a line of metrics") from None
    return found


def _length_until(path: Path, step: int) -> int:
    """How many bytes there are before the first line of a later step; a damaged line has none."""
    length = 0
    with path.open("rb") as file:
        for line in file:
            try:
                if json.loads(line)["step"] > step:
                    break
            except (ValueError, TypeError, KeyError, RecursionError):
                pass
            length += len(line)
    return length


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
