"""How a reader says no: one line with the file, the place, what is there and what should be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from understudy.errors import DemoError

# What a file may grow to in memory: a file of a few bytes that declares gigabytes is an attack or
# damage, while compression of real recordings (even of black camera pictures) stays below 200.
LEAST_BUDGET = 256 << 20
LARGEST_RATIO = 200
# An episode costs about two kilobytes beside its arrays, however short it is.
MOST_EPISODES = 100_000


def refusal(
    path: str | os.PathLike[str], offset: int | None, found: str, expected: str
) -> DemoError:
    """The error `FILE: byte OFFSET: what was found; expected ...`, always one line.

    Args:
        path: The file.
        offset: Where in the file, None where no place makes sense.
        found: What is there.
        expected: What should be there, or what to do.
    """
    where = "" if offset is None else f" byte {offset}:"
    return DemoError(plain(f"{os.fspath(path)}:{where} {found}; expected {expected}"))


def plain(text: str) -> str:
    """The text without anything that could break a line or move the cursor."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def budget(num_bytes: int) -> int:
    """How many bytes the contents of a file of `num_bytes` may take in memory."""
    return max(LEAST_BUDGET, LARGEST_RATIO * num_bytes)


def too_many_episodes(path: str | os.PathLike[str], count: int) -> DemoError:
    """The error for a file that is cut into more episodes than there should be."""
    return refusal(path, None, f"{count} episodes", f"at most {MOST_EPISODES} in one file")


def label(path: str | os.PathLike[str], index: int) -> str:
    """What people call the episode `index` of a file: `file.demo#3`."""
    return plain(f"{os.path.basename(os.fspath(path))}#{index}")


def read_json(path: Path, longest: int, what: str) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        path: The file.
        longest: How many bytes it may have.
        what: What it should be, for the error.

    Raises:
        DemoError: It is something else, or too long.
    """
    with path.open("rb") as file:
        text = file.read(longest + 1)
    if len(text) > longest:
        raise refusal(path, None, f"more than {longest} bytes", what)
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        found = f"not JSON ({' '.join(str(error).split())[:80]})"
        raise refusal(path, None, found, what) from None
    if not isinstance(said, dict):
        raise refusal(path, None, f"a {type(said).__name__}", what)
    return said
