"""Damaged files of the columnar formats, alone and in the folders that they belong to."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import mutants as m
from understudy.data.episode import check_episode
from understudy.data.formats.door import load_demos

# How many damaged files there are in the usual run, and in the nightly one.
COUNTS = (1000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]))


def read(path: Path) -> str:
    """A digest of what the door lets in, every episode checked once more."""
    demos = load_demos(path)
    for episode in demos:
        check_episode(episode, demos.spec)
    return m.content(demos)


def read_beside(path: Path, folder: Path, name: str) -> str:
    """The same for a copy of a folder one of whose files is replaced."""
    copy = path.with_name("folder")
    if not copy.exists():
        shutil.copytree(folder, copy)
    shutil.copyfile(path, copy / name)
    return read(copy)


def survive(
    reader: Callable[[Path], str], data: bytes, count: int, seed: int, suffix: str = ""
) -> Counter[str]:
    """How many damaged files were read and refused; all within a second and little memory."""
    (whole,) = m.survive(reader, [data], suffix=suffix)
    assert whole.kind == "read", whole
    tally: Counter[str] = Counter()
    # Beyond a gibibyte of addresses: what is reserved should show in the peak, not fail.
    damaged = m.mutants(data, count, random.Random(seed))
    for outcome in m.survive(reader, damaged, suffix=suffix, memory=8 * m.GIB):
        assert outcome.kind in ("read", "refused"), outcome
        assert outcome.peak < m.GIB // 2, outcome
        assert outcome.seconds < 1, outcome
        if outcome.kind == "refused":
            assert "\n" not in outcome.text, outcome
            assert re.search(r"(mutant|folder)[\w./-]*(#\d+)?: ", outcome.text), outcome
        tally[outcome.kind] += 1
    return tally
