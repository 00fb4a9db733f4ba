from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import mutants as m
from understudy.errors import DemoError


def _behave(path: Path) -> str:
    """Does what the file says."""
    word = path.read_bytes()
    if word == b"refuse":
        raise DemoError("no")
    if word == b"raise":
        raise ValueError("leak")
    if word == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == b"hang":
        time.sleep(60)
    if word == b"bomb":
        return str(len(bytearray(2 * m.GIB)))
    return word.decode()


def test_survive_tells_what_a_reader_did_with_each_file() -> None:
    words = [b"one", b"refuse", b"raise", b"crash", b"hang", b"bomb", b"two"]
    outcomes = m.survive(_behave, words, seconds=1.0)
    assert [o.kind for o in outcomes] == [
        "read", "refused", "raised", "crashed", "hung", "raised", "read",
    ]  # fmt: skip
    assert "ValueError: leak" in outcomes[2].text
    assert "MemoryError" in outcomes[5].text
    assert (outcomes[0].text, outcomes[1].text, outcomes[6].text) == ("one", "no", "two")


def test_mutants_differ_and_are_the_same_for_the_same_seed() -> None:
    data = bytes(range(256)) * 40
    first = list(m.mutants(data, 200, random.Random(1)))
    assert first == list(m.mutants(data, 200, random.Random(1)))
    assert len(set(first)) > 190
    assert data not in first


def test_tiny_files_have_mutants_too() -> None:
    for size in range(4):
        assert len(list(m.mutants(b"abc"[:size], 50, random.Random(0)))) == 50
