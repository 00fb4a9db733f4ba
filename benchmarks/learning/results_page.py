"""Tables of measured rows in this folder's README, between two marks each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "README.md"


def put_table(mark: str, table: str) -> None:
    """Write a table anew between `<!-- mark -->` and `<!-- end of mark -->`."""
    start, stop = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    page = PAGE.read_text()
    if start not in page or stop not in page:
        raise SystemExit(f"{PAGE}: no place for a table: expected {start} and {stop}")
    whole = f"{start}\n\n{table}\n\n{stop}"
    PAGE.write_text(re.sub(f"{start}.*{stop}", lambda _: whole, page, flags=re.S))


def interval(found: dict[str, Any] | None) -> str:
    """An interquartile mean with its interval; empty where nothing was measured."""
    if found is None:
        return ""
    low, high = found["ci95"]
    return f"{found['iqm']:.4g} [{low:.4g}, {high:.4g}]"
